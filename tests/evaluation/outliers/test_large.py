"""A large picture by its tiles: the maximum, where it is, and a map without seams."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.data.images.tiles import Tiling
from nda.evaluation.outliers.large import judge_large

TILING = Tiling(200, 150, 64, 16)


def darkness(size: int) -> object:
    """Maps (T, size, size) of how dark tiles are, place by place."""

    def maps_of(tiles: Tensor) -> Tensor:
        return 255 - torch.nn.functional.adaptive_avg_pool2d(tiles.float().mean(dim=1), size)

    return maps_of


def picture() -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(150, 200, (3, 150, 200), dtype=torch.uint8, generator=rng)


@pytest.mark.parametrize("pooling", ["max", "mean"])
@pytest.mark.parametrize("at_once", [1, 5, 99])
def test_the_score_is_the_highest_of_the_tiles(pooling: str, at_once: int) -> None:
    dark = picture()
    dark[:, 100:116, 24:40] = 0
    maps_of = darkness(8)
    found = judge_large(maps_of, dark, TILING, pooling, at_once)  # type: ignore[arg-type]
    maps = maps_of(TILING.cut(dark))  # type: ignore[operator]
    each = maps.flatten(1).amax(1) if pooling == "max" else maps.flatten(1).mean(1)
    assert float(found.score) == pytest.approx(float(each.max()))
    assert float(found.hottest) == pytest.approx(float(maps.max()))
    assert found.tile == int(each.argmax())
    x, y = found.place
    assert 24 <= x < 40
    assert 100 <= y < 116


@pytest.mark.parametrize("size", [2, 8, 16])
def test_nothing_is_seen_of_where_tiles_meet(size: int) -> None:
    even = torch.full((3, 150, 200), 100, dtype=torch.uint8)
    heat = judge_large(darkness(size), even, TILING, "max").heat  # type: ignore[arg-type]
    assert heat.shape == TILING.places == (19, 25)
    assert torch.allclose(heat, torch.tensor(155.0))


def test_maps_that_differ_by_tile_are_blended_over_what_they_share() -> None:
    tiling = Tiling(112, 64, 64, 16)  # two tiles, of which the right one is hotter
    levels = torch.tensor([0.0, 1.0])
    one = torch.zeros(3, 64, 112, dtype=torch.uint8)
    found = judge_large(lambda t: levels[:, None, None].expand(2, 8, 8), one, tiling, "max")
    line = found.heat[4]
    assert line[:6].eq(0).all()
    assert line[8:].eq(1).all()
    assert 0 < line[6] < line[7] < 1  # the 16 pixels of both
    assert float(line[6] + line[7]) == pytest.approx(1)


def test_finer_maps_keep_their_peaks() -> None:
    one = torch.zeros(3, 64, 64, dtype=torch.uint8)
    maps = torch.zeros(1, 16, 16)
    maps[0, 5, 2] = 7
    found = judge_large(lambda _: maps, one, Tiling(64, 64, 64, 16), "max")
    assert found.heat.shape == (8, 8)
    assert found.heat[2, 1] == found.heat.max() == 7
    assert found.place == (10, 22)


def test_the_map_is_no_hotter_than_what_it_is_calibrated_on() -> None:
    rng = torch.Generator().manual_seed(1)
    for size in (2, 8, 16):
        maps = torch.rand(len(TILING.corners), size, size, generator=rng)
        found = judge_large(lambda _: maps, picture(), TILING, "max", 99)  # noqa: B023
        assert found.heat.max() <= found.hottest
