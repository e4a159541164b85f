"""Pictures of one tile stay on one side of a split."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import tiles_by_part as tiles


def test_pictures_with_near_numbers_are_of_one_tile() -> None:
    names = [f"train/good/exp{n % 6}_num_{n}.jpg" for n in (5, 1200, 90, 190, 1300, 291, 1401)]
    parts = tiles.parts_of(names)
    assert parts.tolist() == [0, 2, 0, 0, 2, 1, 3]


def test_no_tile_is_on_two_sides_and_each_picture_is_on_one() -> None:
    parts = torch.arange(50) // 3
    sides = tiles.split(parts, seed=1)
    assert sorted(torch.cat(sides).tolist()) == list(range(50))
    of_tiles = [set(parts[side].tolist()) for side in sides]
    assert [len(each) for each in of_tiles] == [11, 3, 3]
    assert not of_tiles[0] & of_tiles[1]
    assert not of_tiles[0] & of_tiles[2]
    assert not of_tiles[1] & of_tiles[2]
    assert not torch.equal(tiles.split(parts, seed=2)[1], sides[1])


def test_the_zip_has_every_picture_once_and_no_tile_on_both_sides(tmp_path: Path) -> None:
    numbers = [1000 * (n // 4) + n % 4 for n in range(60)]
    names = [f"train/good/exp1_num_{n}.jpg" for n in numbers]
    others = ["test/crack/exp1_num_7.jpg", "ground_truth/crack/exp1_num_7.png"]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in (*names, *others):
            archive.writestr(name, name)
    tiles.write_zip(tmp_path / "set.zip", tmp_path / "by-tile.zip")
    with zipfile.ZipFile(tmp_path / "by-tile.zip") as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert sorted(found.values()) == sorted((*names, *others))
    sides = {side: {name.split("/")[2][:4] for name in found if name.startswith(f"{side}/good/")}
             for side in ("train", "test")}  # fmt: skip
    assert (len(sides["train"]), len(sides["test"])) == (12, 3)
    assert not sides["train"] & sides["test"]
