"""The two methods in one map: what each says alone, in units of what it says of normal images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.errors import DataError
from nda.networks.pretrained.combined import CombinedMap
from nda.networks.pretrained.gaussian import GaussianMap
from nda.networks.pretrained.neighbours import NeighbourMap
from tests.networks.pretrained.test_gaussian import ThreeMaps, some_images


def alone(normal: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    """Log distances (B,) of new images by each method, fitted by itself."""
    gaussian = GaussianMap(ThreeMaps(), 64)
    neighbours = NeighbourMap(ThreeMaps(), len(normal))
    gaussian.fit([normal])
    neighbours.fit([normal])
    return gaussian(new).amax(dim=(1, 2)).log(), neighbours(new).mean(dim=(1, 2)).log()


def naive_units(normal: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Mean and deviation of each method's log distances, each image by a fit without its third."""
    found: list[list[Tensor]] = [[], []]
    for fold in range(3):
        mine = torch.tensor([i % 3 == fold for i in range(len(normal))])
        for logs, distances in zip(found, alone(normal[~mine], normal[mine]), strict=True):
            logs.append(distances)
    return [(torch.cat(logs).mean(), torch.cat(logs).std()) for logs in found]


@pytest.mark.parametrize("batch", [4, 20])
def test_the_highest_value_is_the_larger_of_both_z_scores(batch: int) -> None:
    normal, new = some_images(20), some_images(6, seed=1)
    new[:3] = new[:3, :, :, :].mean(dim=1, keepdim=True)  # another kind of picture
    new[3] = normal[0] + 0.02 * new[3]  # hardly another than a normal one
    network = CombinedMap(ThreeMaps(), 64, kept=20)
    network.fit(normal.split(batch))
    z = [
        (distance - middle) / deviation
        for distance, (middle, deviation) in zip(
            alone(normal, new), naive_units(normal), strict=True
        )
    ]
    assert len({bool(a > b) for a, b in zip(*z, strict=True)}) == 2  # each is the larger somewhere
    torch.testing.assert_close(
        network(new).amax(dim=(1, 2)), torch.maximum(*z), atol=2e-3, rtol=2e-3
    )


def test_maps_keep_the_shape_of_the_method_that_decides() -> None:
    normal, new = some_images(20), some_images(2, seed=1)
    network = CombinedMap(ThreeMaps(), 64, kept=20)
    network.fit([normal])
    gaussian = GaussianMap(ThreeMaps(), 64)
    gaussian.fit([normal])
    network.middle[1] = 1e6  # neighbours are never surprised
    expected = (gaussian(new).log() - network.middle[0]) / network.spread[0]
    torch.testing.assert_close(network(new), expected, atol=1e-3, rtol=1e-3)
    network.middle.copy_(torch.tensor([1e6, 0.0]))
    assert int(network(new)[0].argmax()) // 8 in _rows_of_the_hottest(normal, new)


def _rows_of_the_hottest(normal: Tensor, new: Tensor) -> range:
    neighbours = NeighbourMap(ThreeMaps(), len(normal))
    neighbours.fit([normal])
    row = int(neighbours(new)[0].argmax()) // 4  # of 4, where the map of both has 8
    return range(2 * row, 2 * row + 2)


def test_of_many_images_some_are_compared() -> None:
    network, same = (CombinedMap(ThreeMaps(), 32, kept=600) for _ in range(2))
    images = some_images(600, side=32)
    network.fit(images.split(50))
    same.fit([images])
    torch.testing.assert_close(network.middle, same.middle, atol=1e-4, rtol=1e-4)
    new = network(some_images(200, side=32, seed=2)).amax(dim=(1, 2))
    assert 0 < float(new.mean()) < 2  # the larger of two z-scores of normal images


@pytest.mark.parametrize("count", [1, 5])
def test_too_few_images_to_leave_some_out_are_refused(count: int) -> None:
    network = CombinedMap(ThreeMaps(), 32, kept=count)
    message = f"and there is no doing so with {count} normal images? to train on; give at least 6,"
    with pytest.raises(DataError, match=message):
        network.fit([some_images(count, side=32)])


def test_equal_images_make_no_map_that_is_not_a_number() -> None:
    network = CombinedMap(ThreeMaps(), 32, kept=6)
    network.fit([torch.zeros(6, 3, 32, 32)])
    assert bool(network(some_images(2, side=32)).isfinite().all())
