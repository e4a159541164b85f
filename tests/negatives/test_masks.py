"""Where a negative says that it changed an image, against loops and against the images."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.negatives import (
    NEGATIVE_NAMES,
    Jigsaw,
    Negative,
    OneOf,
    Params,
    Stitch,
    negative_from_name,
)
from nda.negatives.seams import seams

FAULTS = ["crack", "scar", "stain", "texture", "paste", "missing"]
PLACED = ["cutout", "cutmix", "blemish", *FAULTS]
SEAMED = ["jigsaw", "jigsaw:grid=3", "jigsaw:grid=4", "stitch"]
EVERYWHERE = [name for name in NEGATIVE_NAMES if name not in (*PLACED, *SEAMED)]
NAMES = [*PLACED, *SEAMED, *EVERYWHERE, "jigsaw+blemish"]
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_batch(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> Tensor:
    values = torch.randint(256, shape, generator=seeded(seed))
    return values.to(torch.uint8) if dtype == torch.uint8 else (values / 127.5 - 1).to(dtype)


def drawn(name: str, x: Tensor, seed: int) -> tuple[Negative, Params]:
    negative = negative_from_name(name)
    return negative, negative.draw(x, seeded(seed))


# --- what all masks have in common


@pytest.mark.parametrize("frames", [(), (3,)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_masks_are_float32_of_one_channel_whatever_the_images_are(
    name: str, dtype: torch.dtype, frames: tuple[int, ...]
) -> None:
    x = random_batch((4, *frames, 3, 24, 12), dtype)
    negative, params = drawn(name, x, 0)
    mask = negative.mask(x, params)
    assert (mask.shape, mask.dtype) == ((4, 1, 24, 12), torch.float32)
    assert ((mask == 0) | (mask == 1)).all()
    assert mask.flatten(1).any(dim=1).all()
    floats = negative.mask(x.float(), params)
    assert torch.equal(mask, floats)
    if frames:  # the frames share the mask of any one of them
        assert torch.equal(mask, negative.mask(x[:, 0], params))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = negative.mask(x, params)
    assert under.dtype == torch.float32
    assert torch.equal(under, mask)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_negative_without_a_place_is_everywhere(name: str) -> None:
    x = random_batch((4, 3, 16, 8), torch.float32)
    negative, params = drawn(name, x, 0)
    assert torch.equal(negative.mask(x, params), torch.ones(4, 1, 16, 8))


@pytest.mark.parametrize("name", ["stitch", "jigsaw+blemish", *FAULTS])
def test_masks_compile_as_one_graph(name: str) -> None:
    x = random_batch((4, 3, 16, 16), torch.float32)
    negative, params = drawn(name, x, 0)
    torch._dynamo.reset()
    compiled = torch.compile(negative.mask, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, params), negative.mask(x, params))


# --- boxes and stains


@pytest.mark.parametrize("name", PLACED)
@settings(deadline=None, max_examples=25)
@given(
    frames=st.sampled_from([(), (2,)]),
    size=st.tuples(st.integers(4, 20), st.integers(4, 20)),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_nothing_changes_where_the_mask_is_0(
    name: str, frames: tuple[int, ...], size: tuple[int, int], dtype: torch.dtype, seed: int
) -> None:
    x = random_batch((3, *frames, 2, *size), dtype, seed)
    negative, params = drawn(name, x, seed)
    result, mask = negative.replay(x, params), negative.mask(x, params)
    changed = (result != x).flatten(1, -3).any(dim=1)  # (B, H, W)
    assert not (changed & (mask[:, 0] == 0)).any()
    assert (changed & (mask[:, 0] == 1)).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("name", ["cutout", "cutmix"])
@settings(deadline=None, max_examples=25)
@given(
    size=st.tuples(st.integers(4, 40), st.integers(4, 40)),
    seed=st.integers(0, 2**31),
)
def test_the_mask_of_a_box_is_the_box(name: str, size: tuple[int, int], seed: int) -> None:
    x = torch.zeros(4, 3, *size)
    negative, params = drawn(name, x, seed)
    expected = torch.zeros(4, 1, *size)
    for b, (top, left, height, width) in enumerate(params["box"].tolist()):
        expected[b, :, top : top + height, left : left + width] = 1
    assert torch.equal(negative.mask(x, params), expected)


# --- seams


def naive_jigsaw_seams(permutation: Tensor, grid: int, H: int, W: int) -> Tensor:
    """1 at pixels close to a border across which the image goes on otherwise than it did."""
    h, w = H // grid, W // grid
    mask = torch.zeros(H, W)
    tiles = permutation.tolist()

    def at(row: int, column: int) -> tuple[int, int]:
        """Row and column in the image of the tile that lies here."""
        return divmod(tiles[row * grid + column], grid)

    deep_y = min(max(1, H // 32), h)
    deep_x = min(max(1, W // 32), w)
    for row in range(grid):
        for column in range(grid):
            y, x = at(row, column)
            top, left = row * h, column * w
            if column + 1 < grid and at(row, column + 1) != (y, x + 1):
                mask[top : top + h, left + w - deep_x : left + w + deep_x] = 1
            if row + 1 < grid and at(row + 1, column) != (y + 1, x):
                mask[top + h - deep_y : top + h + deep_y, left : left + w] = 1
    return mask


@settings(deadline=None, max_examples=60)
@given(
    grid=st.integers(2, 4),
    tile=st.tuples(st.integers(1, 20), st.integers(1, 40)),
    seed=st.integers(0, 2**31),
)
def test_seams_of_a_jigsaw_are_where_neighbours_were_none(
    grid: int, tile: tuple[int, int], seed: int
) -> None:
    H, W = grid * tile[0], grid * tile[1]
    x = torch.zeros(4, 1, H, W)
    negative = Jigsaw(grid)
    params = negative.draw(x, seeded(seed))
    expected = [naive_jigsaw_seams(order, grid, H, W) for order in params["permutation"]]
    assert torch.equal(negative.mask(x, params)[:, 0], torch.stack(expected))


def test_tiles_that_stay_neighbours_have_no_seam() -> None:
    x = torch.zeros(3, 1, 12, 12)
    rows_swapped, columns_swapped = [6, 7, 8, 3, 4, 5, 0, 1, 2], [2, 1, 0, 5, 4, 3, 8, 7, 6]
    # 2 and 3 follow each other in number, but 3 lies at the beginning of the next row.
    wrapped = [0, 2, 3, 1, 4, 5, 6, 7, 8]
    permutation = torch.tensor([rows_swapped, columns_swapped, wrapped])
    rows, columns, third = Jigsaw(3).mask(x, {"permutation": permutation})[:, 0]
    assert torch.equal(rows, rows[:, :1].expand(12, 12))  # the same in every column
    assert rows[:, 0].tolist() == [0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0]
    assert torch.equal(columns, rows.T)
    assert third[0].tolist() == [0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0]
    assert third[5].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]  # 4 and 5 stayed together


def test_the_order_of_the_image_has_no_seam() -> None:
    for grid in (2, 3, 4):
        order = torch.arange(grid**2)[None]
        mask = Jigsaw(grid).mask(torch.zeros(1, 1, 4 * grid, 4 * grid), {"permutation": order})
        assert not mask.any()


@settings(deadline=None, max_examples=30)
@given(half=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 2**31))
def test_the_seam_of_a_stitch_is_at_the_middle(half: tuple[int, int], seed: int) -> None:
    H, W = 2 * half[0], 2 * half[1]
    x = torch.zeros(4, 1, H, W)
    params = Stitch().draw(x, seeded(seed))
    expected = torch.zeros(4, 1, H, W)
    for b in range(4):
        if params["upright"][b]:
            deep = max(1, W // 32)
            expected[b, :, :, W // 2 - deep : W // 2 + deep] = 1
        else:
            deep = max(1, H // 32)
            expected[b, :, H // 2 - deep : H // 2 + deep] = 1
    assert torch.equal(Stitch().mask(x, params), expected)


@pytest.mark.parametrize("name", SEAMED)
def test_beside_a_seam_the_picture_breaks_off_and_elsewhere_it_does_not(name: str) -> None:
    """On smooth images, neighbours differ much across a seam alone."""
    ramp = torch.linspace(0, 1, 96)
    smooth = ramp[:, None] + ramp
    x = torch.stack([smooth, smooth + 7, smooth + 17, smooth + 31])[:, None]  # (4, 1, 96, 96)
    negative, params = drawn(name, x, 3)
    result, mask = negative.replay(x, params), negative.mask(x, params)
    for dim in (2, 3):
        broken = result.diff(dim=dim).abs() > 0.05
        both = torch.minimum(
            mask.narrow(dim, 0, 95), mask.narrow(dim, 1, 95)
        )  # on both sides of the border between two pixels
        assert (both[broken] == 1).all()
    assert (result.diff(dim=2).abs() > 0.05).any() or (result.diff(dim=3).abs() > 0.05).any()


def test_a_seam_is_never_wider_than_its_tile() -> None:
    x = torch.zeros(1, 1, 64, 64)  # of which a 32nd is two pixels, and a tile is one
    beside, below = torch.zeros(1, 64, 63, dtype=torch.bool), torch.zeros(1, 63, 64).bool()
    beside[0, 5, 9] = True
    below[0, 20, 30] = True
    mask = seams(x, beside, below)
    assert mask[0, 0].nonzero().tolist() == [[5, 9], [5, 10], [20, 30], [21, 30]]


# --- mixtures


@settings(deadline=None, max_examples=25)
@given(
    weights=st.tuples(st.floats(0.1, 5), st.floats(0.1, 5), st.floats(0.1, 5)),
    seed=st.integers(0, 2**31),
)
def test_of_a_mixture_the_mask_is_that_of_the_chosen_member(
    weights: tuple[float, ...], seed: int
) -> None:
    members = [negative_from_name(name) for name in ("jigsaw", "cutmix", "mixup")]
    mixture = OneOf(members, weights)
    x = random_batch((6, 3, 16, 8), torch.float32, seed)
    params = mixture.draw(x, seeded(seed))
    mask = mixture.mask(x, params)
    for b, choice in enumerate(params["choice"].tolist()):
        prefix = f"{choice}."
        own = {k.removeprefix(prefix): v for k, v in params.items() if k.startswith(prefix)}
        assert torch.equal(mask[b], members[choice].mask(x, own)[b])


def test_mixtures_of_mixtures_have_masks_too() -> None:
    inner = OneOf([negative_from_name("cutout"), negative_from_name("gaussian_noise")])
    outer = OneOf([negative_from_name("stitch"), inner])
    x = random_batch((64, 1, 12, 12), torch.float32)
    params = outer.draw(x, seeded(0))
    covered = outer.mask(x, params).mean(dim=(1, 2, 3))
    stitched, boxed = params["choice"] == 0, params["1.choice"] == 0
    assert (covered[stitched] == 2 / 12).all()
    assert ((covered >= 1 / 9) & (covered <= 1 / 4))[~stitched & boxed].all()
    assert (covered[~stitched & ~boxed] == 1).all()
