"""Nearest images against a search one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.evaluation.fidelity.nearest import nearest_images


def noise(count: int, seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 5, 4), generator=rng).to(torch.uint8)


@pytest.mark.parametrize("size", [3, 40, 2100])  # the last in several chunks
def test_the_nearest_are_those_found_one_by_one(size: int) -> None:
    queries, gallery = noise(6, 0), noise(size, 1)
    found = nearest_images(queries, gallery, 3)
    assert found.index.shape == found.distance.shape == (6, 3)
    for query, index, distance in zip(queries, found.index, found.distance, strict=True):
        apart = [
            float(np.sqrt(np.mean((query.double() - image.double()).square().numpy()))) / 255
            for image in gallery
        ]
        assert index.tolist() == np.argsort(apart)[:3].tolist()
        assert distance.tolist() == pytest.approx(sorted(apart)[:3])


def test_a_copy_is_at_distance_zero_exactly_and_the_opposite_at_one() -> None:
    gallery = noise(1500, 2)
    found = nearest_images(gallery[1400:1402], gallery)
    assert found.index[:, 0].tolist() == [1400, 1401]
    assert found.distance.tolist() == [[0.0], [0.0]]
    black = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    assert nearest_images(black, black + 255).distance.item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("queries", "gallery", "k", "message"),
    [
        (noise(2, 0).float(), noise(2, 0), 1, "among uint8 images; got torch.float32"),
        (noise(2, 0), noise(2, 0)[..., :3], 1, r"of one shape .*; got \(2, 3, 5, 4\) and"),
        (noise(2, 0), noise(2, 0), 3, "3 nearest of 2 images were asked for"),
        (noise(2, 0), noise(2, 0), 0, "0 nearest of 2 images were asked for"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    queries: Tensor, gallery: Tensor, k: int, message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        nearest_images(queries, gallery, k)
