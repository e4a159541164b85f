"""The cheapest detectors, beside any other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nda.data import ImageSet, to_float
from nda.evaluation.fidelity.nearest import pixel_distance
from nda.extras import LITE0
from nda.networks.pretrained.lite0 import pretrained_trunk
from nda.networks.pretrained.neighbours import NeighbourMap
from nda.networks.pretrained.registration import Registration
from nda.recipes.anomaly import baselines as module
from nda.recipes.anomaly.baselines import PIXELS, POOLED, baselines, subtracted
from tests.support.tiny_lite0 import install_lite0


def images(count: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 32, 32), generator=rng).to(torch.uint8)


def test_distances_to_the_nearest_normal_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    normal, test = images(9), images(4, seed=1)
    found, missing = baselines(test, ImageSet.of(normal), chosen="gaussian")
    assert (list(found), missing) == ([PIXELS, POOLED], "")
    assert torch.equal(found[PIXELS], pixel_distance(test, normal))
    network = NeighbourMap(pretrained_trunk(top=True), 9)
    network.fit([to_float(normal)])
    with torch.no_grad():
        expected = network(to_float(test)).mean(dim=(1, 2))
    torch.testing.assert_close(found[POOLED], expected, atol=1e-5, rtol=1e-3)


def test_neighbours_are_not_set_beside_themselves() -> None:
    found, missing = baselines(images(2), ImageSet.of(images(3)), chosen="neighbours")
    assert (list(found), missing) == ([PIXELS], "")


def test_without_weights_pixels_are_left_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, LITE0, None)
    found, missing = baselines(images(2), ImageSet.of(images(3)), chosen="negatives")
    assert list(found) == [PIXELS]
    assert missing == "nearest features: not measured, as the extra 'pretrained' is not installed."


def test_of_many_normal_images_some_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    normal, test = images(9), images(2, seed=1)
    found, _ = baselines(test, ImageSet.of(normal), chosen="neighbours")
    assert torch.equal(found[PIXELS], pixel_distance(test, normal[::4]))


def test_templates_are_subtracted_where_they_fit() -> None:
    test = images(40)
    registration = Registration(32, 40)
    registration.templates.copy_(test)
    odd = test.clone()
    odd[3, 1, 10:15, 10:15] = 255 - odd[3, 1, 10:15, 10:15]
    found = subtracted(odd, registration)
    assert found.shape == (40,)
    images_of, placed = to_float(odd[3:4]), registration(to_float(odd[3:4]))
    apart = (images_of - placed).abs().amax(dim=1)[0]
    assert float(found[3]) == pytest.approx(float(apart[10:15, 10:15].mean()), rel=0.2)
    assert float(found[3]) > 5 * float(found[torch.arange(40) != 3].max())
