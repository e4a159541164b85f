"""The Gaussian of each place against a loop over places in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from nda.networks.pretrained.gaussian import GaussianMap, shrunk


class ThreeMaps(nn.Module):
    """A trunk of fixed random filters at strides 4, 8 and 16."""

    channels = (3, 4, 5)

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(1)
        self.filters = nn.ParameterList(
            torch.randn(count, 3, stride, stride, generator=rng) / stride
            for count, stride in zip(self.channels, (4, 8, 16), strict=True)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        return [torch.conv2d(images, each, stride=each.shape[-1]) for each in self.filters]


def some_images(count: int, side: int = 64, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def oas(samples: Any) -> Any:
    """Equation 23 of Chen et al. (2010), written out for one set of samples (n, p)."""
    n, p = samples.shape
    s = np.cov(samples.T, bias=True)
    rho = ((1 - 2 / p) * np.trace(s @ s) + np.trace(s) ** 2) / (
        (n + 1 - 2 / p) * (np.trace(s @ s) - np.trace(s) ** 2 / p)
    )
    rho = min(rho, 1)
    return (1 - rho) * s + rho * np.trace(s) / p * np.eye(p)


@pytest.mark.parametrize("count", [5, 40])  # fewer than channels, and more
def test_maps_are_mahalanobis_distances_place_by_place(count: int) -> None:
    network = GaussianMap(ThreeMaps(), 64)
    normal, new = some_images(count), some_images(3, seed=1)
    network.fit(normal.split(3))
    known, asked = (network.at_places(network.trunk(x)).double().numpy() for x in (normal, new))
    distances = np.empty((3, 8, 8))
    for place in range(64):
        covariance = oas(known[place])
        for image in range(3):
            away = asked[place, image] - known[place].mean(axis=0)
            squared = away @ np.linalg.solve(covariance, away)
            distances[image, place // 8, place % 8] = np.sqrt(squared)
    for expected, found in zip(distances, network(new), strict=True):
        smooth = gaussian_filter(expected, 1.0, mode="nearest", radius=4)
        np.testing.assert_allclose(found.numpy(), smooth, rtol=1e-4)


def test_features_stand_at_their_places() -> None:
    network = GaussianMap(ThreeMaps(), 64)
    images = some_images(2)
    fine, middle, coarse = network.trunk(images)
    features = network.at_places(network.trunk(images)).reshape(8, 8, 2, 12)
    torch.testing.assert_close(features[2, 5, :, 3:7], middle[:, :, 2, 5])
    fine_mean = fine[:, :, 4:6, 10:12].mean(dim=(2, 3))
    torch.testing.assert_close(features[2, 5, :, :3], fine_mean)
    between = 0.75 * coarse[:, :, 1] + 0.25 * coarse[:, :, 0]  # of rows; then of columns
    expected = 0.75 * between[:, :, 2] + 0.25 * between[:, :, 3]
    torch.testing.assert_close(features[2, 5, :, 7:], expected)


def test_the_order_and_size_of_batches_do_not_matter() -> None:
    together, apart = GaussianMap(ThreeMaps(), 32), GaussianMap(ThreeMaps(), 32)
    images = some_images(20, side=32)
    together.fit([images])
    apart.fit(images.flip(0).split(3))
    new = some_images(4, side=32, seed=2)
    torch.testing.assert_close(together(new), apart(new))


def test_what_never_varies_is_no_fault_of_the_fit() -> None:
    network = GaussianMap(ThreeMaps(), 32)
    network.fit([torch.zeros(4, 3, 32, 32)])
    assert bool(network(some_images(2, side=32)).isfinite().all())
    assert float(network(torch.zeros(1, 3, 32, 32)).abs().max()) == 0


def test_what_is_kept_of_large_images_is_bounded() -> None:
    assert GaussianMap(ThreeMaps(), 512).whiten.shape == (32 * 32, 12, 12)


def test_shrinkage_goes_all_the_way_for_one_sample() -> None:
    one = torch.zeros(3, 3, dtype=torch.float64)
    torch.testing.assert_close(shrunk(one, 1), 1e-6 * torch.eye(3, dtype=torch.float64))


def test_the_backbone_never_moves() -> None:
    network = GaussianMap(ThreeMaps(), 32).train()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
