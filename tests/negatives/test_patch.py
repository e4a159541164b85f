from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives import CutMix, Cutout
from nda.negatives.patch import Patch, side_range

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.uint8]
SHAPES = st.tuples(
    st.integers(2, 5), st.sampled_from([(), (2,)]), st.integers(1, 3), st.integers(4, 17)
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_batch(
    shape: tuple[int, tuple[int, ...], int, int], width: int, dtype: torch.dtype, seed: int
) -> Tensor:
    batch, frames, channels, height = shape
    values = torch.randn(batch, *frames, channels, height, width, generator=seeded(seed))
    if dtype == torch.uint8:
        return (values * 64 + 128).clamp(0, 255).to(dtype)
    return values.to(dtype)


def box_slices(box: Tensor) -> tuple[slice, slice]:
    top, left, height, width = box.tolist()
    return slice(top, top + height), slice(left, left + width)


@settings(deadline=None, max_examples=40)
@given(
    shape=SHAPES,
    width=st.integers(4, 17),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_cutmix_agrees_with_pasting_boxes_one_by_one(
    shape: tuple[int, tuple[int, ...], int, int], width: int, dtype: torch.dtype, seed: int
) -> None:
    x = random_batch(shape, width, dtype, seed)
    params = CutMix().draw(x, seeded(seed))
    result = CutMix().replay(x, params)
    for b in range(len(x)):
        expected = x[b].clone()
        rows, columns = box_slices(params["box"][b])
        expected[..., rows, columns] = x[params["partner"][b]][..., rows, columns]
        assert torch.equal(result[b], expected)


@settings(deadline=None, max_examples=40)
@given(
    shape=SHAPES,
    width=st.integers(4, 17),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**31),
)
def test_cutout_agrees_with_averaging_boxes_one_by_one(
    shape: tuple[int, tuple[int, ...], int, int], width: int, dtype: torch.dtype, seed: int
) -> None:
    x = random_batch(shape, width, dtype, seed)
    params = Cutout().draw(x, seeded(seed))
    result = Cutout().replay(x, params)
    for b in range(len(x)):
        rows, columns = box_slices(params["box"][b])
        mean = x[b][..., rows, columns].double().mean(dim=(-2, -1), keepdim=True)
        mean = mean.round() if dtype == torch.uint8 else mean
        expected = x[b].clone()
        expected[..., rows, columns] = mean.to(dtype)
        torch.testing.assert_close(result[b], expected)
        outside = torch.ones(x.shape[-2:], dtype=torch.bool)
        outside[rows, columns] = False
        assert torch.equal(result[b][..., outside], x[b][..., outside])


def test_the_mean_keeps_its_precision_under_autocast() -> None:
    x = random_batch((4, (), 3, 32), 32, torch.float32, 0) + 100
    params = Cutout().draw(x, seeded(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = Cutout().replay(x, params)
    assert torch.equal(result, Cutout().replay(x, params))


@pytest.mark.parametrize("build", [Cutout, CutMix])
@settings(deadline=None, max_examples=25)
@given(
    shares=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    size=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    seed=st.integers(0, 2**31),
)
def test_boxes_are_never_empty_and_lie_inside(
    build: type[Patch], shares: tuple[float, float], size: tuple[int, int], seed: int
) -> None:
    low, high = sorted(shares)
    x = torch.zeros(64, 1, *size)
    if (
        build is Cutout
        and side_range(size[0], low, high)[0] * side_range(size[1], low, high)[0] < 2
    ):
        return  # refused: tested below
    box = build(low, high).draw(x, seeded(seed))["box"]
    assert (box[:, 2:] >= 1).all()
    assert (box[:, :2] >= 0).all()
    assert (box[:, :2] + box[:, 2:] <= torch.tensor(size)).all()


def test_box_sides_are_uniform_and_independent() -> None:
    box = Cutout().draw(torch.zeros(30_000, 1, 12, 18), seeded(0))["box"]
    heights, widths = box[:, 2], box[:, 3]
    assert torch.unique(heights).tolist() == [4, 5, 6]  # 12 / 3 to 12 / 2
    assert torch.unique(widths).tolist() == [6, 7, 8, 9]  # 18 / 3 to 18 / 2
    pairs = torch.unique(torch.stack([heights, widths]), dim=1, return_counts=True)[1]
    chi_square = ((pairs - 2500) ** 2 / 2500).sum()
    assert len(pairs) == 12
    assert chi_square < 31.3  # 11 degrees of freedom, p = 0.001


def test_box_places_are_uniform_for_each_side() -> None:
    box = Cutout().draw(torch.zeros(30_000, 1, 12, 18), seeded(0))["box"]
    for height in (4, 5, 6):
        places, counts = torch.unique(box[box[:, 2] == height, 0], return_counts=True)
        assert places.tolist() == list(range(12 - height + 1))
        expected = counts.sum() / len(counts)
        assert (counts - expected).abs().max() < 5 * expected.sqrt()


@pytest.mark.parametrize("build", [Cutout, CutMix])
def test_every_pixel_can_be_reached(build: type[Patch]) -> None:
    x = torch.arange(2000.0).view(-1, 1, 1, 1) + torch.rand(2000, 1, 9, 12, generator=seeded(0))
    result = build()(x, generator=seeded(1))
    assert (result != x).any(dim=0).all()


@pytest.mark.parametrize(
    ("size", "low", "high", "expected"),
    [
        (32, 1 / 3, 1 / 2, (11, 16)),
        (96, 1 / 3, 1 / 2, (32, 48)),
        (30, 0.1, 0.3, (3, 9)),
        (10, 0.7, 0.7, (7, 7)),
        (10, 0.72, 0.74, (8, 8)),  # no whole number between: the next longer one
        (1, 1 / 3, 1 / 2, (1, 1)),
    ],
)
def test_range_of_sides(size: int, low: float, high: float, expected: tuple[int, int]) -> None:
    assert side_range(size, low, high) == expected


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.5, 0.4), (0.5, 1.0), (float("nan"), 0.5)])
def test_refuses_shares_out_of_range(low: float, high: float) -> None:
    with pytest.raises(ConfigError, match=r"^cutout was given low=.*0 < low <= high < 1"):
        Cutout(low, high)
    with pytest.raises(ConfigError, match=r"^cutmix was given low=.*0 < low <= high < 1"):
        CutMix(low, high)


def test_cutout_refuses_images_whose_box_could_be_one_pixel() -> None:
    with pytest.raises(ShapeError, match=r"box of one pixel.*images of 3 x 3.*raise low"):
        Cutout()(torch.zeros(2, 3, 3, 3))
    CutMix()(torch.zeros(2, 3, 3, 3))  # whose single pixel is another image's
    with pytest.raises(ShapeError, match="box of one pixel"):  # the smallest is 1 x 1
        Cutout(0.1, 0.5)(torch.zeros(2, 3, 6, 6))
    assert Cutout(0.1, 0.5)(torch.zeros(2, 3, 6, 30)).shape == (2, 3, 6, 30)
    assert Cutout(0.1, 0.5)(torch.zeros(2, 3, 30, 6)).shape == (2, 3, 30, 6)
