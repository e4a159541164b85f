"""Pictures of features: neighbours in their order, points in their colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.data import ImageSet
from nda.evaluation.features.extract import feature_map
from nda.report.pictures.features import (
    FEATURES,
    NEIGHBOURS,
    Encoded,
    feature_scatter,
    neighbour_grid,
    save_feature_pictures,
)
from nda.report.pictures.grid import GAP


def grey(levels: list[int], classes: list[str]) -> ImageSet:
    """Images of one shade each, labelled in turn."""
    pixels = torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
    labels = torch.arange(len(levels)) % max(1, len(classes))
    return ImageSet.of(pixels, labels, classes)


def angles(degrees: list[float]) -> Tensor:
    radians = torch.tensor(degrees).deg2rad()
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def test_neighbours_stand_right_of_their_image_nearest_first() -> None:
    known = Encoded(grey([10, 60, 110, 160], []), angles([0.0, 20.0, 50.0, 90.0]))
    queries = Encoded(grey([200, 220], []), angles([1.0, 85.0]))
    picture = np.asarray(neighbour_grid(known, queries, k=3))
    row = picture.shape[0] - GAP - 48  # the middle of the lower of two rows of 96 pixels
    lower, upper = picture[row, :, 0], picture[row - 96 - GAP, :, 0]

    def shades(line: np.ndarray) -> list[int]:
        distinct = [int(line[0])]
        for value in line[1:].tolist():
            if value != distinct[-1]:
                distinct.append(value)
        return [shade for shade in distinct if shade != 255]

    assert shades(upper) == [200, 10, 60, 110]
    assert shades(lower) == [220, 160, 110, 60]


def colours(picture: Image.Image) -> set[tuple[int, int, int]]:
    """Those that fill many pixels, but for white and greys."""
    pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    found, counts = np.unique(pixels, axis=0, return_counts=True)
    return {
        tuple(c) for c, n in zip(found.tolist(), counts, strict=True) if n > 30 and len(set(c)) > 1
    }


@pytest.mark.parametrize(("classes", "expected"), [(2, 2), (10, 9), (0, 0), (11, 0)])
def test_few_classes_have_colours_and_many_have_none(classes: int, expected: int) -> None:
    rng = torch.Generator().manual_seed(0)
    found = feature_map(torch.randn(44, 5, generator=rng))
    labels = torch.arange(44) % max(1, classes)
    picture = feature_scatter(found, labels, [f"_class {n}" for n in range(classes)])
    # Of ten classes one is black and one grey: 8 colours and what their marks' edges blend to.
    hues = {tuple(np.sign(np.diff(c, append=c[0])).tolist()) for c in colours(picture)}
    assert bool(hues) == bool(expected)
    assert len(colours(picture)) >= expected - 2
    assert min(picture.size) > 900


def test_both_are_written_and_large_sets_thinned_out(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    images = grey([n % 200 for n in range(2100)], ["a", "b"])
    many = Encoded(images, torch.randn(2100, 4, generator=rng))
    assert len(many.spread_out(100).features) == 100
    assert torch.equal(many.spread_out(2).features, many.features[[0, -1]])
    save_feature_pictures(tmp_path, many, many)
    with Image.open(tmp_path / FEATURES) as one, Image.open(tmp_path / NEIGHBOURS) as other:
        assert one.format == other.format == "PNG"


def test_two_images_have_neighbours_but_no_map(tmp_path: Path) -> None:
    two = Encoded(grey([10, 200], ["a", "b"]), angles([0.0, 90.0]))
    save_feature_pictures(tmp_path, two, two)
    assert [path.name for path in tmp_path.iterdir()] == [NEIGHBOURS]
