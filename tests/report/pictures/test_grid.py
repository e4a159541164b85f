from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.report.pictures.grid import GAP, image_grid, save_images, save_png


def random_images(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, height, width), generator=rng, dtype=torch.uint8)


def naive_grid(images: Tensor, columns: int, scale: int) -> Tensor:
    """Pixel by pixel, uint8 (H, W, 3)."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    shape = (
        GAP + rows * (height * scale + GAP),
        GAP + columns * (width * scale + GAP),
        3,
    )
    grid = torch.full(shape, 255, dtype=torch.uint8)
    for index in range(count):
        top = GAP + index // columns * (height * scale + GAP)
        left = GAP + index % columns * (width * scale + GAP)
        for y in range(height * scale):
            for x in range(width * scale):
                grid[top + y, left + x] = images[index, :, y // scale, x // scale]
    return grid


@settings(deadline=None, max_examples=20)
@given(
    count=st.integers(1, 5),
    columns=st.integers(1, 4),
    height=st.integers(1, 4),
    width=st.integers(1, 4),
    scale=st.integers(1, 3),
)
def test_pixels_stand_where_a_naive_grid_has_them(
    *, count: int, columns: int, height: int, width: int, scale: int
) -> None:
    images = random_images(count, height, width)
    grid = np.asarray(image_grid(images, columns, scale=scale))
    assert np.array_equal(grid, naive_grid(images, columns, scale).numpy())


@pytest.mark.parametrize(
    ("side", "cell"), [(1, 96), (28, 84), (32, 96), (48, 96), (50, 50), (64, 64), (200, 200)]
)
def test_small_images_are_enlarged_by_a_whole_factor(side: int, cell: int) -> None:
    assert image_grid(random_images(1, side, side), 1).size == (cell + 2 * GAP, cell + 2 * GAP)


def test_labels_stand_beside_their_cells_and_leave_them_whole() -> None:
    images = random_images(4, 32, 32)
    plain = np.asarray(image_grid(images, 2))
    labelled = np.asarray(
        image_grid(images, 2, row_labels=["real", "jigsaw"], column_labels=["a", "b"])
    )
    top, left = (labelled.shape[axis] - plain.shape[axis] for axis in (0, 1))
    assert np.array_equal(labelled[top:, left:][GAP:, GAP:], plain[GAP:, GAP:])
    in_rows = labelled[top:, :left].min(axis=(1, 2)) < 128  # rows of pixels with ink in them
    middles = [GAP + 48, GAP + 96 + GAP + 48]
    for middle, other in (middles, reversed(middles)):
        assert in_rows[middle - 12 : middle + 12].any()
        assert not in_rows[middle + 30 : max(other - 30, middle + 30)].any()
    in_columns = labelled[:top, left:].min(axis=(0, 2)) < 128
    assert in_columns[middles[0] - 6 : middles[0] + 6].any()
    assert in_columns[middles[1] - 6 : middles[1] + 6].any()


def test_labels_wider_than_their_columns_do_not_touch() -> None:
    wide = ["a long name of a column"] * 2
    grid = np.asarray(image_grid(random_images(2, 8, 8), 2, scale=1, column_labels=wide))
    inked = np.flatnonzero(grid[: GAP + 12].min(axis=(0, 2)) < 128)
    middle = grid.shape[1] // 2
    assert inked[0] >= GAP - 1
    assert inked[-1] <= grid.shape[1] - GAP
    assert not set(range(middle - 1, middle + 2)) & set(inked.tolist())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 3, 4, 4), "needs uint8 images, not torch.float32; convert them"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.uint8), r"not \(1, 1, 4, 4\); repeat a single"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), r"not \(3, 4, 4\)"),
        (torch.zeros(0, 3, 4, 4, dtype=torch.uint8), r"none of them 0, not \(0, 3, 4, 4\)"),
    ],
)
def test_other_tensors_are_refused(images: Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        image_grid(images, 1)


@pytest.mark.parametrize(
    ("columns", "layout", "message"),
    [
        (0, {}, "columns is 0; a grid needs at least 1"),
        (2, {"scale": 0}, "scale is 0; give a whole number from 1"),
        (2, {"row_labels": ["a"]}, "1 row labels for 2 rows; give one a row"),
        (2, {"column_labels": ["a"]}, "1 column labels for 2 columns; give one a column"),
    ],
)
def test_layouts_that_do_not_fit_are_refused(
    columns: int, layout: dict[str, int | list[str]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        image_grid(random_images(3, 4, 4), columns, **layout)  # type: ignore[arg-type]


def test_a_saved_picture_reads_back(tmp_path: Path) -> None:
    grid = image_grid(random_images(3, 4, 4), 2)
    save_png(grid, tmp_path / "new" / "grid.png")
    with Image.open(tmp_path / "new" / "grid.png") as read:
        assert read.format == "PNG"
        assert np.array_equal(np.asarray(read), np.asarray(grid))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["grid.png"]


def test_images_are_saved_as_one_grid(tmp_path: Path) -> None:
    images = random_images(5, 4, 4)
    assert save_images(images, tmp_path / "all.png") == tmp_path / "all.png"
    with Image.open(tmp_path / "all.png") as read:
        columns = math.ceil(math.sqrt(5))
        assert np.array_equal(np.asarray(read), np.asarray(image_grid(images, columns)))


def test_images_are_saved_one_a_file(tmp_path: Path) -> None:
    images = random_images(3, 4, 5)
    assert save_images(images, tmp_path / "new") == tmp_path / "new"
    paths = sorted((tmp_path / "new").iterdir())
    assert [path.name for path in paths] == ["000000.png", "000001.png", "000002.png"]
    for image, path in zip(images, paths, strict=True):
        with Image.open(path) as read:
            assert np.array_equal(np.asarray(read), image.permute(1, 2, 0).numpy())


def test_other_kinds_of_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x.jpg cannot be written: pictures are .png files"):
        save_images(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), tmp_path / "x.jpg")
    assert not list(tmp_path.iterdir())


def test_images_are_not_mixed_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="already holds files"):
        save_images(random_images(1, 4, 4), tmp_path)
    with pytest.raises(ConfigError, match=r"notes\.txt is a file; give a name that ends in \.png"):
        save_images(random_images(1, 4, 4), tmp_path / "notes.txt")
