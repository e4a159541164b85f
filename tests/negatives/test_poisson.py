"""Blending in the gradient domain, against dense least squares sample by sample."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.negatives import CutMix, Jigsaw, Stitch
from nda.negatives.poisson import blend_patch, blend_pieces, potential
from tests.negatives.test_contract import random_batch, seeded
from tests.negatives.test_jigsaw import naive_jigsaw


def naive_solution(down: Tensor, across: Tensor) -> Tensor:
    """The plane (H, W) of mean 0 with differences nearest to (H - 1, W) and (H, W - 1)."""
    H, W = across.shape[0], down.shape[1]
    pixel = torch.arange(H * W).view(H, W)
    rows, wished = [], []
    for first, second, wish in (
        (pixel[:-1], pixel[1:], down),
        (pixel[:, :-1], pixel[:, 1:], across),
    ):
        for p, q, w in zip(first.flatten(), second.flatten(), wish.flatten(), strict=True):
            row = torch.zeros(H * W, dtype=torch.float64)
            row[q], row[p] = 1, -1
            rows.append(row)
            wished.append(w.double())
    rows.append(torch.ones(H * W, dtype=torch.float64))
    wished.append(torch.zeros((), dtype=torch.float64))
    return torch.linalg.lstsq(torch.stack(rows), torch.stack(wished)[:, None]).solution.view(H, W)


def finished(solution: Tensor, hard: Tensor) -> Tensor:
    """Moved to the mean of the hard image (C, H, W) and kept in its range."""
    mean = hard.double().mean(dim=(-2, -1), keepdim=True)
    return (solution + mean).clamp(hard.min().double(), hard.max().double())


@settings(deadline=None, max_examples=15)
@given(size=st.tuples(st.integers(1, 6), st.integers(1, 6)), seed=st.integers(0, 2**31))
def test_potential_is_the_least_squares_solution(size: tuple[int, int], seed: int) -> None:
    H, W = size
    down = torch.randn(2, H - 1, W, generator=seeded(seed), dtype=torch.float64)
    across = torch.randn(2, H, W - 1, generator=seeded(seed + 1), dtype=torch.float64)
    found = potential(down, across)
    for b in range(2):
        torch.testing.assert_close(found[b], naive_solution(down[b], across[b]))


@settings(deadline=None, max_examples=12)
@given(
    grid=st.integers(2, 3),
    tile=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dtype=st.sampled_from([torch.float64, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_a_blended_jigsaw_has_the_gradients_of_its_tiles(
    grid: int, tile: tuple[int, int], dtype: torch.dtype, seed: int
) -> None:
    x = random_batch((2, 2, grid * tile[0], grid * tile[1]), dtype, seed)
    negative = Jigsaw(grid, seam="poisson")
    params = negative.draw(x, seeded(seed))
    result = negative.replay(x, params)
    for b, order in enumerate(params["permutation"].tolist()):
        image = x[b].double()
        down, across = torch.zeros_like(image), torch.zeros_like(image)
        down[:, :-1], across[:, :, :-1] = image.diff(dim=1), image.diff(dim=2)
        hard, down, across = (naive_jigsaw(f, order, grid) for f in (image, down, across))
        planes = zip(down[:, :-1], across[:, :, :-1], strict=True)
        solution = torch.stack([naive_solution(d, a) for d, a in planes])
        off = (result[b].double() - finished(solution, hard)).abs()
        assert off.max() < (0.5 + 1e-3 if dtype == torch.uint8 else 1e-9)  # rounded last


@pytest.mark.parametrize("name", ["stitch", "cutmix"])
def test_a_blended_patch_meets_the_image_with_the_mean_of_their_gradients(name: str) -> None:
    x = random_batch((3, 2, 6, 8), torch.float64)
    negative = {"stitch": Stitch(seam="poisson"), "cutmix": CutMix(seam="poisson")}[name]
    params = negative.draw(x, seeded(0))
    result = negative.replay(x, params)
    hard = {"stitch": Stitch(), "cutmix": CutMix()}[name].replay(x, params)
    for b in range(3):
        own, other = x[b], x[params["partner"][b]]
        patch = (hard[b] != own).any(dim=0)  # (H, W)
        wished = []
        for dim in (1, 2):
            outside, inside = own.diff(dim=dim), other.diff(dim=dim)
            p = patch.narrow(dim - 1, 0, patch.shape[dim - 1] - 1)
            q = patch.narrow(dim - 1, 1, patch.shape[dim - 1] - 1)
            wish = torch.where(p & q, inside, outside)
            wished.append(torch.where(p != q, (inside + outside) / 2, wish))
        solution = torch.stack([naive_solution(d, a) for d, a in zip(*wished, strict=True)])
        torch.testing.assert_close(result[b], finished(solution, hard[b]))


def test_in_order_blending_gives_the_image_back() -> None:
    """What `null` may therefore leave out."""
    x = random_batch((4, 3, 64, 128), torch.float32)
    assert (blend_pieces(x, torch.clone) - x).abs().max() < 1e-4
    inside = torch.rand(4, 64, 128, generator=seeded(0)) < 0.5
    assert (blend_patch(x, x, inside) - x).abs().max() < 1e-4


def test_brightness_runs_on_across_a_cut() -> None:
    """Halves of a ramp change places: the same slope again, no step but the border's none."""
    x = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    params = {"permutation": torch.tensor([[1, 0, 3, 2]])}
    step = Jigsaw(seam="poisson").replay(x, params).diff(dim=-1)
    expected = torch.full((31,), 1 / 31)
    expected[15] = 0
    torch.testing.assert_close(step, expected.expand_as(step), rtol=0, atol=1e-5)
    assert Jigsaw().replay(x, params).diff(dim=-1).min() < -0.9


@pytest.mark.parametrize("frames", [(), (2,)])
@pytest.mark.parametrize("negative", [Jigsaw(seam="poisson"), CutMix(seam="poisson")])
def test_results_stay_within_the_range_of_the_image(
    negative: Jigsaw | CutMix, frames: tuple[int, ...]
) -> None:
    x = random_batch((8, *frames, 3, 16, 16), torch.float32)
    result = negative(x, generator=seeded(0))
    assert result.min() >= x.min()
    assert result.max() <= x.max()


def test_blending_does_not_lose_precision_under_autocast() -> None:
    x = random_batch((2, 3, 16, 16), torch.float32)
    negative = Jigsaw(seam="poisson")
    params = negative.draw(x, seeded(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = negative.replay(x, params)
    assert torch.equal(under, negative.replay(x, params))
