"""Blemish against plain loops over samples and pixels, and the law of its draws."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives import Blemish, Params, negative_from_name
from nda.negatives.blemish import highest, waves

SIZES = st.tuples(st.integers(2, 14), st.integers(2, 14))
WIDE, MANY = (24, 40), 4000


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_batch(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> Tensor:
    values = torch.randint(256, shape, generator=seeded(seed))
    return values.to(torch.uint8) if dtype == torch.uint8 else (values / 127.5 - 1).to(dtype)


def naive_stain(waves: Tensor, area: float, H: int, W: int) -> set[tuple[int, int]]:
    """The pixels where a sum of cosines is highest, the sum taken pixel by pixel."""
    field = {
        (y, x): sum(
            math.cos(2 * math.pi * (down * (y + 0.5) / H + across * (x + 0.5) / W) + phase)
            for down, across, phase in waves.tolist()
        )
        for y in range(H)
        for x in range(W)
    }
    count = min(max(math.ceil(area * H * W), 4), H * W)
    return set(sorted(field, key=lambda place: -field[place])[:count])


def naive_box(box: Tensor) -> set[tuple[int, int]]:
    top, left, height, width = box.tolist()
    return {(y, x) for y in range(top, top + height) for x in range(left, left + width)}


def places(mask: Tensor) -> set[tuple[int, int]]:
    """Where a mask `(H, W)` is 1; it must be 0 everywhere else."""
    assert ((mask == 0) | (mask == 1)).all()
    return {(int(y), int(x)) for y, x in mask.nonzero()}


def naive_replay(x: Tensor, params: Params, mask: Tensor) -> Tensor:
    """Pixel by pixel in double precision, unrounded: `x` images (B, C, H, W)."""
    black, white = (0.0, 255.0) if x.dtype == torch.uint8 else (-1.0, 1.0)
    result = x.double().clone()
    _, C, H, W = x.shape
    for b in range(len(x)):
        light, cover = float(params["light"][b]), float(params["cover"][b])
        down, across = params["shift"][b].tolist()
        source = x[int(params["partner"][b])].double()
        for y, column in places(mask[b, 0]):
            for c in range(C):
                texture = float(source[c, (y - down) % H, (column - across) % W])
                end = white if light > 0 else black
                texture = (1 - abs(light)) * texture + abs(light) * end
                result[b, c, y, column] = (1 - cover) * x[b, c, y, column].item() + cover * texture
    return result


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(2, 4),
    channels=st.integers(1, 3),
    size=SIZES,
    dtype=st.sampled_from([torch.float32, torch.float64, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_replay_agrees_with_painting_pixel_by_pixel(
    batch: int, channels: int, size: tuple[int, int], dtype: torch.dtype, seed: int
) -> None:
    x = random_batch((batch, channels, *size), dtype, seed)
    params = Blemish().draw(x, seeded(seed))
    result = Blemish().replay(x, params)
    expected = naive_replay(x, params, Blemish().mask(x, params))
    # A half may be rounded either way: it hangs on the last bit of the sum.
    most = 0.5 + 1e-3 if dtype == torch.uint8 else 1e-5
    assert (result.double() - expected).abs().max() <= most


@settings(deadline=None, max_examples=40)
@given(size=SIZES, seed=st.integers(0, 2**31))
@example(size=(2, 2), seed=0)  # where all of the image is the stain
def test_the_mask_is_the_box_or_where_the_sum_of_cosines_is_highest(
    size: tuple[int, int], seed: int
) -> None:
    x = torch.zeros(6, 1, *size)
    params = Blemish().draw(x, seeded(seed))
    mask = Blemish().mask(x, params)
    assert mask.shape == (6, 1, *size)
    for b in range(6):
        if params["stain"][b]:
            found = places(mask[b, 0])
            wanted = naive_stain(params["waves"][b], float(params["area"][b]), *size)
            # In single precision a pixel on the outline may change places with its equal.
            assert len(found) == len(wanted)
            assert len(found - wanted) <= 1
        else:
            assert places(mask[b, 0]) == naive_box(params["box"][b])


@given(count=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_a_stain_is_the_share_of_the_pixels_that_is_highest(count: int, seed: int) -> None:
    field = torch.randperm(200, generator=seeded(seed)).view(1, 10, 20).float()
    mask = highest(field, torch.tensor([(count - 0.5) / 200]))
    assert torch.equal(mask, field >= 200 - max(count, 4))


def test_areas_reach_from_a_hundredth_to_a_tenth() -> None:
    x = torch.zeros(MANY, 1, *WIDE)
    params = Blemish().draw(x, seeded(0))
    areas = Blemish().mask(x, params)[params["stain"]].flatten(1).mean(dim=1)
    assert 0.01 <= areas.min() < 0.011
    assert 0.099 < areas.max() <= 0.1 + 1 / 960
    assert 0.0535 < areas.mean() < 0.0575  # uniform: 0.055, and half a pixel rounded up


def test_masks_stay_exact_under_autocast() -> None:
    x = random_batch((64, 3, 32, 32), torch.float32)
    params = Blemish().draw(x, seeded(1))
    alone = Blemish().mask(x, params)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(Blemish().mask(x, params), alone)
        assert torch.equal(waves(params["waves"], 32, 32), waves(params["waves"], 32, 32).float())


# --- the law of the draws


@settings(deadline=None, max_examples=40)
@given(
    shares=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 2**31),
)
def test_boxes_lie_inside_and_their_sides_within_the_shares(
    shares: tuple[float, float], size: tuple[int, int], seed: int
) -> None:
    low, high = sorted(shares)
    box = Blemish(low, high).draw(torch.zeros(64, 1, *size), seeded(seed))["box"]
    assert (box[:, :2] >= 0).all()
    for axis in (0, 1):
        start, length, whole = box[:, axis], box[:, 2 + axis], size[axis]
        assert (start + length <= whole).all()
        assert (length >= min(2, whole)).all()
        assert (length >= min(low * whole - 0.51, whole)).all()  # rounded to pixels
        assert (length <= max(high * whole + 0.51, min(2, whole))).all()


def test_sides_are_log_uniform_and_independent() -> None:
    box = Blemish(0.05, 0.5).draw(torch.zeros(MANY, 1, 400, 200), seeded(0))["box"].double()
    down, across = (box[:, 2] / 400).log(), (box[:, 3] / 200).log()
    span = math.log(0.5 / 0.05)
    for side in (down, across):
        place = ((side - math.log(0.05)) / span).sort().values
        even = (torch.arange(MANY, dtype=torch.float64) + 0.5) / MANY
        assert (place - even).abs().max() < 0.04  # Kolmogorov-Smirnov; 0.031 at p = 0.001
    assert abs(torch.corrcoef(torch.stack([down, across]))[0, 1]) < 0.055


def test_every_place_of_a_box_is_reached_alike() -> None:
    box = Blemish(0.3, 0.3).draw(torch.zeros(MANY, 1, 10, 20), seeded(0))["box"]
    assert torch.unique(box[:, 2:], dim=0).tolist() == [[3, 6]]
    for axis, count in ((0, 8), (1, 15)):
        found, counts = torch.unique(box[:, axis], return_counts=True)
        assert found.tolist() == list(range(count))
        expected = MANY / count
        chi_square = float(((counts - expected) ** 2 / expected).sum())
        assert chi_square < {8: 24.4, 15: 36.2}[count]  # p = 0.001


def test_the_texture_comes_from_at_least_an_eighth_of_the_side_away() -> None:
    shift = Blemish().draw(torch.zeros(MANY, 1, *WIDE), seeded(0))["shift"]
    for axis, size in enumerate(WIDE):
        nearest = size // 8
        assert torch.unique(shift[:, axis]).tolist() == list(range(nearest, size - nearest + 1))


@settings(deadline=None, max_examples=40)
@given(size=st.tuples(st.integers(1, 40), st.integers(2, 40)), seed=st.integers(0, 2**31))
def test_the_texture_is_never_the_places_own(size: tuple[int, int], seed: int) -> None:
    shift = Blemish().draw(torch.zeros(64, 1, *size), seeded(seed))["shift"]
    assert (shift % torch.tensor(size)).any(dim=1).all()


@settings(deadline=None, max_examples=25)
@given(batch=st.integers(2, 30), seed=st.integers(0, 2**31))
def test_of_those_that_take_from_another_no_two_take_from_the_same(batch: int, seed: int) -> None:
    partner = Blemish().draw(torch.zeros(batch, 1, 8, 8), seeded(seed))["partner"]
    others = partner[partner != torch.arange(batch)]
    assert len(others.unique()) == len(others)


def test_even_chances_are_even_and_independent() -> None:
    params = Blemish().draw(torch.zeros(MANY, 1, 8, 8), seeded(0))
    own = params["partner"] == torch.arange(MANY)
    assert 1880 < own.sum() < 2120
    assert 1880 < params["stain"].sum() < 2120
    assert 900 < (own & params["stain"]).sum() < 1100


def test_light_and_cover_fill_their_ranges() -> None:
    params = Blemish().draw(torch.zeros(MANY, 1, 8, 8), seeded(0))
    for name, low, high in (("light", -0.5, 0.2), ("cover", 0.3, 1.0), ("area", 0.01, 0.1)):
        values, span = params[name], high - low
        assert values.dtype == torch.float32
        assert low <= values.min() < low + 0.01 * span
        assert high - 0.01 * span < values.max() <= high
        assert abs(float(values.mean()) - (low + high) / 2) < 0.02 * span


def test_waves_are_of_every_direction_and_phase_and_not_too_fine() -> None:
    drawn = Blemish().draw(torch.zeros(MANY, 1, 8, 8), seeded(0))["waves"]
    assert drawn.shape == (MANY, 12, 3)
    assert drawn[..., :2].norm(dim=-1).max() <= 12 * 2.5
    for sign in (drawn[..., 0] > 0, drawn[..., 1] > 0, drawn[..., 2] > math.pi):
        assert abs(float(sign.float().mean()) - 0.5) < 0.01
    assert drawn[..., 2].min() >= 0
    assert drawn[..., 2].max() <= 2 * math.pi


# --- what the results are


@settings(deadline=None, max_examples=20)
@given(
    dtype=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]),
    values=st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.7, 1.0]), min_size=4, max_size=4),
    seed=st.integers(0, 2**31),
)
def test_results_stay_in_range(dtype: torch.dtype, values: list[float], seed: int) -> None:
    corner = torch.tensor(values, dtype=dtype).view(1, 1, 2, 2)
    x = torch.cat([corner, corner.flip(-1), -corner.mT]).repeat(1, 1, 6, 6)
    result = Blemish()(x, generator=seeded(seed))
    assert result.min() >= -1
    assert result.max() <= 1


def test_uint8_and_float_give_the_same_picture() -> None:
    x = random_batch((16, 3, 24, 24), torch.uint8)
    params = Blemish().draw(x, seeded(0))
    bytes_ = Blemish().replay(x, params)
    floats = Blemish().replay(x / 127.5 - 1, params)
    assert ((floats + 1) * 127.5 - bytes_.float()).abs().max() <= 0.5 + 1e-3


# --- what is refused


def test_a_stain_is_not_blended_by_poissons_equation() -> None:
    with pytest.raises(
        ConfigError, match=r"^blemish was given seam=poisson; expected hard or feath"
    ):
        Blemish(seam="poisson")


@pytest.mark.parametrize("shares", [(0, 0.3), (-0.1, 0.3), (0.4, 0.3), (0.3, 1), (0.3, math.nan)])
def test_shares_out_of_range_are_refused(shares: tuple[float, float]) -> None:
    low, high = shares
    with pytest.raises(ConfigError) as caught:
        Blemish(low, high)
    assert str(caught.value) == (
        f"blemish was given low={low:g}, high={high:g}; "
        "expected shares of the image's sides with 0 < low <= high < 1"
    )


def test_a_batch_of_one_is_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"^blemish mixes each sample with another one .* holds 1;"
    ):
        Blemish()(torch.zeros(1, 3, 8, 8))


def test_its_name_carries_the_shares() -> None:
    negative = negative_from_name("blemish:low=0.1,high=0.2")
    assert isinstance(negative, Blemish)
    assert repr(negative) == "Blemish(low=0.1, high=0.2)"
