"""Tiles of large pictures: they cover them, in their own pixels, whatever the sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nda.data.images.tiles import LargePictures, Tiling
from nda.errors import DataError


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    side = 16 * draw(st.integers(1, 6))
    overlap = draw(st.integers(0, side // 2))
    width, height = (draw(st.integers(side, 5 * side + 3)) for _ in range(2))
    return Tiling(width, height, side, overlap)


@settings(deadline=None)
@given(tilings())
def test_tiles_cover_the_picture_share_what_was_asked_for_and_stay_inside(tiling: Tiling) -> None:
    side, covered = tiling.side, np.zeros((tiling.height, tiling.width), int)
    corners = tiling.corners
    for top, left in corners:
        assert 0 <= top <= tiling.height - side
        assert 0 <= left <= tiling.width - side
        covered[top : top + side, left : left + side] += 1
    assert covered.min() == 1 or len(set(corners)) == len(corners) > 1
    assert covered.min() >= 1
    assert len(set(corners)) == len(corners)
    for axis, last in ((0, tiling.height - side), (1, tiling.width - side)):
        begins = sorted({corner[axis] for corner in corners})
        assert (begins[0], begins[-1]) == (0, last)
        assert all(begin % 8 == 0 for begin in begins[:-1])
        steps = np.diff(begins)
        assert (side - steps >= tiling.overlap - 7).all()
        assert len(begins) == 1 + -(-last // (side - tiling.overlap))  # no more than are needed


@settings(deadline=None)
@given(tilings())
def test_the_map_of_the_picture_has_a_place_for_each_of_a_tile(tiling: Tiling) -> None:
    covered = np.zeros(tiling.places, int)
    for number, (top, left) in enumerate(tiling.corners):
        rows, columns = tiling.places_of(number)
        assert covered[rows, columns].shape == (tiling.side // 8, tiling.side // 8)
        assert abs(rows.start * 8 - top) <= 4
        assert abs(columns.start * 8 - left) <= 4
        covered[rows, columns] += 1
    assert covered.min() >= 1


def test_a_tile_has_the_pixels_of_its_place() -> None:
    tiling = Tiling(90, 70, 32, 8)
    picture = torch.randint(0, 256, (3, 70, 90), dtype=torch.uint8)
    tiles = tiling.cut(picture)
    assert tiles.shape == (len(tiling.corners), 3, 32, 32)
    for tile, (top, left) in zip(tiles, tiling.corners, strict=True):
        assert torch.equal(tile, picture[:, top : top + 32, left : left + 32])
    assert torch.equal(tiling.cut(picture, [5, 1]), tiles[[5, 1]])


def test_a_picture_of_another_size_is_said_to_be() -> None:
    tiling = Tiling(90, 70, 32, 8)
    assert tiling.misfit(torch.zeros(3, 70, 90)) == ""
    assert tiling.misfit(torch.zeros(3, 90, 70)) == (
        "it has 70 x 90 pixels, and p-values hold for images of 90 x 70 alone, as those of "
        "training: with more tiles the highest is higher"
    )


def written(folder: Path, *sizes: tuple[int, int]) -> list[str]:
    for number, size in enumerate(sizes):
        noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return [f"{number}.png" for number in range(len(sizes))]


def test_some_tiles_of_each_picture_are_drawn(tmp_path: Path) -> None:
    names = written(tmp_path, (60, 40), (60, 40), (60, 40))
    large = LargePictures.of(str(tmp_path), names, 32, 8, None)
    assert large.tiling == Tiling(60, 40, 32, 8)
    every = [large.tiling.cut(picture) for picture in large]
    assert len(every[0]) == 6
    tiles = large.some_tiles(2, torch.Generator().manual_seed(0))
    assert tiles.shape == (6, 3, 32, 32)
    for number, tile in enumerate(tiles):
        assert any(torch.equal(tile, each) for each in every[number // 2])
    assert not torch.equal(tiles[0], tiles[1])
    again = large.some_tiles(2, torch.Generator().manual_seed(0))
    assert torch.equal(tiles, again)
    assert not torch.equal(tiles, large.some_tiles(2, torch.Generator().manual_seed(1)))
    assert torch.equal(large.some_tiles(99, torch.Generator()), torch.cat(every))
    assert torch.equal(large.only(torch.tensor([2])).some_tiles(99, torch.Generator()), every[2])


def test_pictures_of_two_sizes_are_refused(tmp_path: Path) -> None:
    names = written(tmp_path, (60, 40), (60, 41))
    large = LargePictures.of(str(tmp_path), names, 32, 8, None)
    expected = (
        r"1\.png has 60 x 41 pixels, and others 60 x 40; with --tile all must have one size, as an "
        r"image is judged by the highest of its tiles\. Give images of one size, or leave --tile "
        r"out\."
    )
    with pytest.raises(DataError, match=expected):
        list(large)


def test_a_picture_smaller_than_a_tile_is_refused(tmp_path: Path) -> None:
    names = written(tmp_path, (60, 40))
    with pytest.raises(DataError, match=r"0\.png has 60 x 40 pixels, which a tile of 48 does not "
                       r"fit into; give a --tile of 32 or less, or leave it out\."):  # fmt: skip
        LargePictures.of(str(tmp_path), names, 48, 8, None)


def test_no_size_is_proposed_to_a_picture_smaller_than_the_smallest_tile(tmp_path: Path) -> None:
    names = written(tmp_path, (10, 12))
    with pytest.raises(DataError, match=r"a tile of 48 does not fit into; leave --tile out\.$"):
        LargePictures.of(str(tmp_path), names, 48, 8, None)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(DataError, match=r"a\.png cannot be read \(not an image\)\. Mend it\."):
        LargePictures.of(str(tmp_path), ["a.png"], 48, 8, None)
