"""Cuts at random places and wavy ones, against loops over samples, pieces and pixels."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.negatives import CutMix, Jigsaw, Stitch, negative_from_name
from nda.negatives.orders import draw_band_orders
from nda.negatives.pieces import broken
from nda.negatives.seams import near
from tests.negatives.test_contract import random_batch, seeded
from tests.negatives.test_seams import mirrored, naive_feather


def bounds(size: int, grid: int, offset: int) -> list[int]:
    """From border to border, where a side is cut."""
    return [0, *(i * size // grid + offset for i in range(1, grid)), size]


def naive_bands(image: Tensor, order: list[int], grid: int, offset: list[int]) -> Tensor:
    """Bands cut from an image (..., H, W), pieces cut from these, and joined in another order."""
    H, W = image.shape[-2:]
    downs = list(pairwise(bounds(H, grid, offset[0])))
    acrosses = list(pairwise(bounds(W, grid, offset[1])))
    bands = []
    for r in range(grid):
        top, bottom = downs[order[r * grid] // grid]
        columns = [acrosses[tile % grid] for tile in order[r * grid : (r + 1) * grid]]
        bands.append(torch.cat([image[..., top:bottom, a:b] for a, b in columns], dim=-1))
    return torch.cat(bands, dim=-2)


@settings(deadline=None, max_examples=40)
@given(
    grid=st.integers(2, 4),
    frames=st.sampled_from([(), (2,)]),
    tile=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    dtype=st.sampled_from([torch.float32, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_unequal_tiles_are_moved_whole(
    *,
    grid: int,
    frames: tuple[int, ...],
    tile: tuple[int, int],
    dtype: torch.dtype,
    seed: int,
) -> None:
    x = random_batch((3, *frames, 2, grid * tile[0], grid * tile[1]), dtype, seed)
    negative = Jigsaw(grid, offset="random")
    params = negative.draw(x, seeded(seed))
    result = negative.replay(x, params)
    for b, order in enumerate(params["permutation"].tolist()):
        offset = params["offset"][b].tolist()
        assert all(abs(o) <= side // 2 for o, side in zip(offset, tile, strict=True))
        assert torch.equal(result[b], naive_bands(x[b], order, grid, offset))


def test_cuts_lie_at_every_place_up_to_half_a_tile_away() -> None:
    x = torch.zeros(4000, 1, 16, 8)
    down, across = Jigsaw(offset="random").draw(x, seeded(0))["offset"].T
    assert sorted(set(down.tolist())) == list(range(-4, 5))
    assert sorted(set(across.tolist())) == list(range(-2, 3))
    assert (torch.bincount(down + 4) - 4000 / 9).abs().max() < 5 * (4000 / 9) ** 0.5


def test_the_7_orders_of_two_bands_are_equally_likely() -> None:
    order = draw_band_orders(7000, 2, torch.device("cpu"), seeded(0))
    kinds, counts = torch.unique(order, dim=0, return_counts=True)
    assert len(kinds) == 7
    assert [0, 1, 2, 3] not in kinds.tolist()
    assert all({row[0] // 2, row[1] // 2} in ({0}, {1}) for row in kinds.tolist())
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5  # 6 degrees of freedom, p = 0.001


@pytest.mark.parametrize("grid", [3, 5, 6])
def test_bands_stay_together_in_any_grid(grid: int) -> None:
    order = draw_band_orders(300, grid, torch.device("cpu"), seeded(0)).view(300, grid, grid)
    assert ((order // grid) == (order // grid)[:, :, :1]).all()
    original = torch.arange(grid**2)
    assert torch.equal(order.flatten(1).sort(dim=1).values, original.expand(300, -1))
    assert not (order.flatten(1) == original).all(dim=1).any()


def test_bands_are_ranked_in_grids_of_up_to_5() -> None:
    rng, same = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    ranks = torch.randint(1, 120**6, (3,), generator=same).tolist()
    found = draw_band_orders(3, 5, torch.device("cpu"), rng).view(3, 5, 5)
    orders = list(permutations(range(5)))
    for b, rank in enumerate(ranks):
        band, *tiles = (orders[rank // 120**i % 120] for i in range(6))
        for row in range(5):
            expected = [5 * band[row] + tile for tile in tiles[row]]
            assert found[b, row].tolist() == expected


def test_an_original_order_beyond_ranking_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    ascending = torch.linspace(0, 0.9, 6).expand(1, 7, 6)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: ascending)
    order = draw_band_orders(1, 6, torch.device("cpu"), None)
    assert order[0].tolist() != list(range(36))
    assert sorted(order[0].tolist()) == list(range(36))


def naive_near(below: Tensor, beside: Tensor, width: int) -> Tensor:
    """One sample: (H - 1, W) and (H, W - 1) to (H, W)."""
    mask = torch.zeros(beside.shape[0], below.shape[1])
    for y, x in below.nonzero().tolist():
        mask[max(y + 1 - width, 0) : y + 1 + width, x] = 1
    for y, x in beside.nonzero().tolist():
        mask[y, max(x + 1 - width, 0) : x + 1 + width] = 1
    return mask


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    width=st.integers(1, 7),
    seed=st.integers(0, 2**31),
)
def test_what_is_near_a_break(size: tuple[int, int], width: int, seed: int) -> None:
    H, W = size
    below = torch.rand(2, H - 1, W, generator=seeded(seed)) < 0.1
    beside = torch.rand(2, H, W - 1, generator=seeded(seed + 1)) < 0.1
    expected = [naive_near(*each, width) for each in zip(below, beside, strict=True)]
    assert torch.equal(near(below, beside, width)[:, 0], torch.stack(expected))


def test_it_breaks_wherever_the_source_does_not_run_on() -> None:
    """Also in wide pictures, where a step down might be taken for many across."""
    down, across = torch.zeros(2, 1, 2, 6, dtype=torch.int64).unbind()
    across[0, 0, 2] = 4
    down[0, 0, 3] = 1
    below, beside = broken((down, across))
    assert beside[0, 0].tolist() == [False, True, True, True, False]
    assert below[0, 0].tolist() == [False, False, True, True, False, False]


def test_wavy_jigsaws_move_each_pixel_with_its_tile() -> None:
    """Wherever a pixel lies, it comes from where its place's tile was, mirrored at the border."""
    x = torch.arange(24.0 * 24).view(1, 1, 24, 24).expand(8, 1, 24, 24)
    wavy, straight = Jigsaw(edge="wavy"), Jigsaw()
    params = wavy.draw(x, seeded(0))
    result, plain = wavy.replay(x, params), straight.replay(x, params)
    strayed = 0
    for b, order in enumerate(params["permutation"].tolist()):
        for y in range(24):
            for column in range(24):
                sources = []  # by the tiles of all four places
                for place, tile in enumerate(order):
                    down = 12 * (tile // 2 - place // 2)
                    across = 12 * (tile % 2 - place % 2)
                    sources.append(24 * mirrored(y + down, 24) + mirrored(column + across, 24))
                deep = min(abs(y - 11.5), abs(column - 11.5))
                here = y // 12 * 2 + column // 12
                allowed = sources if deep < 2 else [sources[here]]
                assert result[b, 0, y, column].item() in allowed
                strayed += result[b, 0, y, column].item() != sources[here]
    assert strayed > 50
    assert not torch.equal(result, plain)


@pytest.mark.parametrize(
    "name",
    [
        "jigsaw:offset=random,seam=feather,edge=wavy",
        "stitch:seam=feather",
        "stitch:offset=random,edge=wavy,seam=feather",
        "cutmix:seam=feather,width=2",
        "cutmix:edge=wavy,seam=feather",
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_feathers_of_all_kinds_are_the_hard_ones_blurred(name: str, dtype: torch.dtype) -> None:
    x = random_batch((3, 2, 16, 24), dtype)
    soft, hard = (
        negative_from_name(name),
        negative_from_name(name.replace("seam=feather", "seam=hard")),
    )
    params = soft.draw(x, seeded(0))
    made, mask = hard.replay(x, params), soft.mask(x, params)
    within = hard.mask(x, params) if "cutmix" in name else torch.zeros_like(mask)
    width = 2 if "width" in name else 3
    for b in range(3):
        blurred = mask[b, 0] if "cutmix" not in name else edges(within[b, 0], width)
        for image, treated in (
            (made[b], soft.replay(x, params)[b]),
            (x[b], soft.null(x, params)[b]),
        ):
            expected = naive_feather(image, blurred, width)
            torch.testing.assert_close(treated.double(), expected, rtol=0, atol=1e-5)


def edges(inside: Tensor, width: int) -> Tensor:
    return naive_near(inside[1:] != inside[:-1], inside[:, 1:] != inside[:, :-1], width)


@settings(deadline=None, max_examples=20)
@given(
    half=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    edge=st.sampled_from(["straight", "wavy"]),
    seed=st.integers(0, 2**31),
)
def test_a_stitch_keeps_both_images_wherever_it_is_cut(
    half: tuple[int, int], edge: str, seed: int
) -> None:
    H, W = 2 * half[0], 2 * half[1]
    number = torch.arange(4.0)[:, None, None, None].expand(4, 1, H, W)
    negative = Stitch(offset="random", edge=edge)
    params = negative.draw(number, seeded(seed))
    result = negative.replay(number, params)[:, 0]
    for b in range(4):
        other = result[b] == params["partner"][b]
        assert (other | (result[b] == b)).all()
        assert 0 < other.sum() < H * W
        upright = bool(params["upright"][b])
        side = other.long() if upright else other.T.long()
        assert (side.diff(dim=1) >= 0).all()  # own first, then the partner's
        if edge == "straight":
            size, offset = (W, params["offset"][b, 1]) if upright else (H, params["offset"][b, 0])
            assert torch.equal(side[0], (torch.arange(size) >= size // 2 + offset).long())


def test_the_box_of_a_wavy_cutmix_strays_but_stays_a_box_in_its_middle() -> None:
    x = torch.arange(16.0)[:, None, None, None].expand(16, 1, 48, 48)
    negative = CutMix(edge="wavy")
    params = negative.draw(x, seeded(0))
    mask = negative.mask(x, params)[:, 0]
    changed = (negative.replay(x, params) != x)[:, 0]
    assert torch.equal(changed, mask == 1)
    straight = CutMix().mask(x, params)[:, 0]
    assert (mask != straight).flatten(1).any(dim=1).all()
    for b, (top, left, height, width) in enumerate(params["box"].tolist()):
        assert (mask[b, top + 3 : top + height - 3, left + 3 : left + width - 3] == 1).all()
        outside = torch.ones(48, 48, dtype=torch.bool)
        outside[max(top - 3, 0) : top + height + 3, max(left - 3, 0) : left + width + 3] = False
        assert not mask[b][outside].any()
