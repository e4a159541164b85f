"""Differences from templates, as every fitted method takes them."""

from __future__ import annotations

import pytest
import torch

from nda.networks.pretrained.fitted import FITTED, build_fitted
from nda.networks.pretrained.lite0 import Lite0Trunk
from nda.networks.pretrained.reference import ReferenceTrunk
from tests.networks.pretrained.test_gaussian import ThreeMaps
from tests.networks.pretrained.test_registration import scenes, seen, to_uint8


def test_features_are_those_of_the_image_less_those_of_its_template() -> None:
    scene, trunk = scenes(3), ThreeMaps().requires_grad_(False)
    reference = ReferenceTrunk(trunk, 64, 3)
    reference.registration.templates.copy_(to_uint8(seen(scene)))
    images = seen(scene, 2.4, -1.3) * 0.8
    images[0, :, 20:30, 20:30] = 0.9
    found = reference(images)
    placed = reference.registration(images)
    for level, own, other in zip(found, trunk(images), trunk(placed), strict=True):
        torch.testing.assert_close(level, own - other, atol=1e-5, rtol=0)
    assert reference.channels == trunk.channels
    assert float(found[0][0].abs().max()) > 5 * float(found[0][1:].abs().max())


@pytest.mark.parametrize("method", FITTED)
def test_every_fitted_method_takes_differences(method: str) -> None:
    scene = scenes(2)
    network = build_fitted(method, "lite0", 64, 12, templates=2)
    assert isinstance(network.trunk, ReferenceTrunk)
    assert isinstance(network.trunk.trunk, Lite0Trunk)
    network.trunk.registration.templates.copy_(to_uint8(seen(scene)))
    rng = torch.Generator().manual_seed(0)
    images = torch.cat([seen(scene, n / 3 - 1, 0.5) for n in range(6)])
    network.fit([images + 0.01 * torch.randn(images.shape, generator=rng)])
    assert bool(network(images).isfinite().all())
    again = build_fitted(method, "lite0", 64, 12, templates=2)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(images), network(images))
