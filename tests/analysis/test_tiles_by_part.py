"""Pictures of one tile stay on one side of a split."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import anomaly_sets
import tiles
import tiles_by_part


def test_pictures_with_near_numbers_are_of_one_tile() -> None:
    names = [f"train/good/exp{n % 6}_num_{n}.jpg" for n in (5, 1200, 90, 190, 1300, 291, 1401)]
    assert tiles.by_number(names).tolist() == [0, 2, 0, 0, 2, 1, 3]


def test_pictures_with_the_same_marks_are_of_one_tile_under_any_light() -> None:
    rng = torch.Generator().manual_seed(0)
    large = torch.rand(3, 1, 80, 80, generator=rng) * 60
    light = torch.linspace(40, 150, 64).view(1, 1, -1)
    first, again, other = large[0, :, :64, :64], large[0, :, 4:68, 3:67], large[1, :, :64, :64]
    images = torch.stack([first + 50, again * 0.6 + light, other + 50]).expand(-1, 3, -1, -1)
    found = tiles.correlations(tiles.marks(images.to(torch.uint8)))
    assert float(found[0, 1]) > 0.7
    assert float(torch.stack([found[0, 2], found[1, 2]]).amax()) < tiles.ALIKE
    assert tiles.by_marks(found > tiles.ALIKE).tolist() == [0, 0, 1]


def test_what_runs_along_the_columns_is_no_mark() -> None:
    lines = torch.rand(2, 1, 1, 64, generator=torch.Generator().manual_seed(0)) * 200
    grain = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 20
    images = (lines[:1] + grain).expand(-1, 3, -1, -1).to(torch.uint8)
    assert float(tiles.correlations(tiles.marks(images))[0, 1]) < tiles.ALIKE


def test_groups_are_joined_through_pictures_between() -> None:
    alike = torch.eye(5).bool()
    for a, b in ((0, 4), (4, 2), (1, 3)):
        alike[a, b] = alike[b, a] = True
    assert tiles.by_marks(alike).tolist() == [0, 1, 0, 1, 0]


def test_no_tile_is_on_two_sides_and_each_picture_is_on_one() -> None:
    parts = torch.arange(50) // 3
    sides = anomaly_sets.split(parts, seed=1)
    assert sorted(torch.cat(sides).tolist()) == list(range(50))
    of_tiles = [set(parts[side].tolist()) for side in sides]
    assert [len(each) for each in of_tiles] == [11, 3, 3]
    assert not of_tiles[0] & of_tiles[1]
    assert not of_tiles[0] & of_tiles[2]
    assert not of_tiles[1] & of_tiles[2]
    assert not torch.equal(anomaly_sets.split(parts, seed=2)[1], sides[1])


def test_the_zip_has_every_picture_once_and_no_tile_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [1000 * (n // 4) + n % 4 for n in range(60)]
    names = [f"train/good/exp1_num_{n}.jpg" for n in numbers]
    others = ["test/crack/exp1_num_7.jpg", "ground_truth/crack/exp1_num_7.png"]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in (*names, *others):
            archive.writestr(name, name)
    known = {"tile_of": {name: n // 4 for name, n in zip(names, range(60), strict=True)}}
    (tmp_path / "tiles.json").write_text(json.dumps(known))
    monkeypatch.setattr(anomaly_sets, "TILE_OF", tmp_path / "tiles.json")
    tiles_by_part.write_zip(tmp_path / "set.zip", tmp_path / "by-tile.zip", seed=0)
    with zipfile.ZipFile(tmp_path / "by-tile.zip") as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert sorted(found.values()) == sorted((*names, *others))
    sides = {side: {name.split("/")[2][:4] for name in found if name.startswith(f"{side}/good/")}
             for side in ("train", "test")}  # fmt: skip
    assert (len(sides["train"]), len(sides["test"])) == (12, 3)
    assert not sides["train"] & sides["test"]
