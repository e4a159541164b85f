"""Figures in the features of EfficientNet-Lite0, of weights drawn at random."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.errors import ConfigError, DataError, ShapeError
from nda.evaluation.fidelity.frechet import frechet_distance
from nda.evaluation.fidelity.kernel import kernel_distance
from nda.evaluation.fidelity.lite0 import Lite0Features, at_side, compared, lite0_metrics
from nda.evaluation.fidelity.manifolds import compare_manifolds
from nda.networks.pretrained.lite0 import PACKAGE, pretrained_trunk
from tests.support import tiny_lite0
from tests.support.tiny_lite0 import install_lite0


@pytest.fixture(autouse=True)
def random_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")


def images(count: int, side: int = 16, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), generator=rng, dtype=torch.uint8)


def test_features_are_the_pooled_last_map_whatever_the_batches() -> None:
    some = images(19, side=96)
    found = Lite0Features()(some)
    with torch.no_grad():
        last = pretrained_trunk(top=True).eval()(some.float() / 127.5 - 1)[-1]
    assert found.shape == (19, 1280)
    assert found.dtype == torch.float32
    assert float(last.std()) > 0
    torch.testing.assert_close(found, last.mean(dim=(2, 3)), rtol=1e-3, atol=1e-5)
    assert Lite0Features()(some[:0]).shape == (0, 1280)


def test_the_weights_are_named_by_what_they_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = Lite0Features().fingerprint
    assert Lite0Features().fingerprint == first
    install_lite0(monkeypatch, tmp_path / "other.pth", tiny_lite0.random_weights(seed=1))
    assert Lite0Features().fingerprint != first


@pytest.mark.parametrize("side", [16, 96, 160])
def test_images_are_resized_as_pillow_does_but_not_rounded(side: int) -> None:
    smooth = torch.nn.functional.interpolate(images(1, 4).float(), (side, side), mode="bilinear")
    some = smooth.round().to(torch.uint8)
    found = at_side(some)
    assert found.shape == (1, 3, 96, 96)
    picture = Image.fromarray(some[0].permute(1, 2, 0).numpy())
    expected = np.asarray(picture.resize((96, 96), Image.Resampling.BICUBIC)).astype(np.float32)
    reached = (found[0].permute(1, 2, 0).numpy() + 1) * 127.5
    # Pillow's cubic is a little sharper where it enlarges (a = -0.5, not -0.75).
    assert np.abs(reached - expected).max() < (6 if side < 96 else 1.01)
    assert float(found.min()) >= -1
    assert float(found.max()) <= 1


def test_overshoot_at_an_edge_is_cut_off() -> None:
    edge = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    edge[..., 8:] = 255
    found = at_side(edge)
    assert (float(found.min()), float(found.max())) == (-1, 1)


def test_the_figures_are_those_of_their_functions() -> None:
    rng = torch.Generator().manual_seed(0)
    real, made = (torch.randn(40, 6, generator=rng) for _ in range(2))
    metrics = {each.name: each for each in compared(real, made, {"split": "test"})}
    kernel, manifolds = kernel_distance(real, made), compare_manifolds(real, made)
    assert {name: each.value for name, each in metrics.items()} == {
        "lite0_frechet": frechet_distance(real, made),
        "lite0_kernel": kernel.value,
        "lite0_kernel_error": kernel.error,
        "lite0_precision": manifolds.precision,
        "lite0_recall": manifolds.recall,
        "lite0_density": manifolds.density,
        "lite0_coverage": manifolds.coverage,
    }
    assert metrics["lite0_kernel"].interval == list(kernel.interval)
    assert {name: each.better for name, each in metrics.items()} == {
        "lite0_frechet": "lower", "lite0_kernel": "lower", "lite0_kernel_error": "",
        "lite0_precision": "higher", "lite0_recall": "higher", "lite0_density": "higher",
        "lite0_coverage": "higher",
    }  # fmt: skip
    assert metrics["lite0_kernel"].protocol == {
        "split": "test", "kernel_blocks": 10, "block_size": 4,
    }  # fmt: skip
    assert metrics["lite0_recall"].protocol["neighbours"] == 3
    assert metrics["lite0_coverage"].protocol["neighbours"] == 5
    assert metrics["lite0_frechet"].kind == {"figure": "frechet", "features": "lite0"}


def test_as_many_of_both_are_compared_and_the_protocol_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Tensor] = []

    def call(self: Lite0Features, some: Tensor) -> Tensor:
        seen.append(some)
        return some.flatten(1)[:, :4].float()

    monkeypatch.setattr(Lite0Features, "__call__", call)
    real, made = images(25), images(21, seed=1)
    metrics = lite0_metrics(real, made, protocol={"split": "test split"})
    assert torch.equal(seen[0], real[:21])
    assert torch.equal(seen[1], made)
    for metric in metrics:
        assert metric.protocol["split"] == "test split"
        assert metric.protocol["side"] == 96
        assert metric.protocol["real_images"] == metric.protocol["generated_images"] == 21
        weights = Lite0Features().fingerprint
        assert metric.protocol["features"] == f"EfficientNet-Lite0, ImageNet, weights {weights}"


def test_refused() -> None:
    with pytest.raises(DataError, match=r"at least 20 images a side, and of some .* got 19\."):
        lite0_metrics(images(30), images(19), protocol={})
    with pytest.raises(ShapeError, match=r"Real images are \(3, 16, 16\) and generated ones"):
        lite0_metrics(images(30), images(30, side=24), protocol={})
    with pytest.raises(ShapeError, match=r"Images for EfficientNet-Lite0 must be uint8"):
        Lite0Features()(images(2).float())


def test_without_the_package_it_is_said_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(ConfigError, match=r"pip install 'nda-torch\[pretrained\]'"):
        Lite0Features()
