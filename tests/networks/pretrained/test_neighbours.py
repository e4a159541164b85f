"""Nearest neighbours in pooled features, against a loop over images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.networks.pretrained.neighbours import NeighbourMap
from tests.networks.pretrained.test_gaussian import ThreeMaps, some_images


def cosine_distance(a: Tensor, b: Tensor) -> float:
    return 1 - float(a @ b / (a.norm() * b.norm()))


@pytest.mark.parametrize("count", [1, 12])
def test_the_mean_of_a_map_is_the_distance_to_the_two_nearest(count: int) -> None:
    network = NeighbourMap(ThreeMaps(), count)
    normal, new = some_images(count), some_images(5, seed=1)
    network.fit(normal.split(5))
    maps = network(new)
    assert maps.shape == (5, 4, 4)
    known, asked = (network.trunk(x)[-1].mean(dim=(2, 3)) for x in (normal, new))
    for image, found in zip(asked, maps, strict=True):
        distances = sorted(cosine_distance(image, other) for other in known)[:2]
        assert float(found.mean()) == pytest.approx(sum(distances) / len(distances), abs=1e-5)


def test_the_map_is_hot_where_features_differ() -> None:
    network = NeighbourMap(ThreeMaps(), 1)
    normal = some_images(1)
    network.fit([normal])
    changed = normal.clone()
    changed[:, :, :16, 48:] = -normal[:, :, :16, 48:]
    found = network(changed)[0] - network(normal)[0]
    assert int(found.argmax()) == 3  # the first row's last place


def test_of_too_many_images_some_are_kept_evenly() -> None:
    network, all_of_them = NeighbourMap(ThreeMaps(), 4), NeighbourMap(ThreeMaps(), 10)
    images = some_images(10)
    network.fit([images])
    all_of_them.fit([images])
    assert torch.equal(network.bank, all_of_them.bank[[0, 3, 6, 9]])
