"""Heat over images: where it begins, where it ends, and pixels that it leaves alone."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.report.pictures.heat import HOT, MILD, overlay, warmth

RATES = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.9])


def some_images(count: int = 2, side: int = 8) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, side, side), generator=rng, dtype=torch.uint8)


@given(RATES, st.lists(st.floats(1e-6, 1), min_size=1, max_size=30))
def test_warmth_is_logarithmic_between_the_rate_and_ten_times_it(
    rate: float, values: list[float]
) -> None:
    heat = warmth(torch.tensor(values, dtype=torch.float64), rate)
    cold = min(10 * rate, 1.0)
    for value, found in zip(values, heat.tolist(), strict=True):
        if value <= rate:
            naive = 1.0
        elif value >= cold:
            naive = 0.0
        else:
            naive = math.log(cold / value) / math.log(cold / rate)
        assert found == pytest.approx(naive, abs=1e-9)


@given(RATES, st.lists(st.floats(2**-20, 1, width=32), min_size=2, max_size=30))
def test_warmth_falls_with_the_p_value(rate: float, values: list[float]) -> None:
    heat = warmth(torch.tensor(sorted(values)), rate)
    assert (heat.diff() <= 0).all()
    assert heat.min() >= 0
    assert heat.max() <= 1


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_the_ends_of_the_scale_are_exact_in_single_precision(rate: float) -> None:
    """An image that is flagged reaches 1, and a place that is quite normal stays at 0."""
    at_rate, cold = torch.tensor([rate]), torch.tensor([1.0])
    assert warmth(at_rate, rate).item() == pytest.approx(1, abs=1e-6)
    assert warmth(cold, rate).item() == pytest.approx(0, abs=1e-6)


def test_cold_pixels_stay_as_they_are() -> None:
    images = some_images()
    heat = torch.zeros(2, 8, 8)
    heat[0, 2, 3] = 1
    heat[1, 5, 5] = 0.25
    result = overlay(images, heat)
    assert result.dtype == torch.uint8
    assert result.shape == images.shape
    cold = (heat == 0)[:, None].expand_as(images)
    assert torch.equal(result[cold], images[cold])
    for number, y, x in ((0, 2, 3), (1, 5, 5)):
        warm = float(heat[number, y, x])
        for channel in range(3):
            colour = MILD[channel] + warm * (HOT[channel] - MILD[channel])
            under = int(images[number, channel, y, x])
            naive = under + 0.7 * math.sqrt(warm) * (colour - under)
            assert abs(int(result[number, channel, y, x]) - naive) <= 0.5 + 1e-3


def test_heat_of_a_coarser_map_is_enlarged_over_its_own_place() -> None:
    images = torch.full((1, 3, 16, 16), 128, dtype=torch.uint8)
    heat = torch.zeros(1, 4, 4)
    heat[0, 1, 2] = 1
    changed = (overlay(images, heat) != images).any(dim=1)[0]
    rows, columns = changed.any(dim=1).nonzero().flatten(), changed.any(dim=0).nonzero().flatten()
    # The place itself, and the fading towards the middles of its neighbours.
    assert (int(rows.min()), int(rows.max())) == (2, 9)
    assert (int(columns.min()), int(columns.max())) == (6, 13)


def test_an_image_without_heat_is_unchanged_at_any_size() -> None:
    images = some_images(3, 20)
    for side in (5, 7, 20):
        assert torch.equal(overlay(images, torch.zeros(3, side, side)), images)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31))
def test_the_images_given_are_not_changed(seed: int) -> None:
    images = some_images()
    before = images.clone()
    heat = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(seed))
    result = overlay(images, heat)
    assert torch.equal(images, before)
    assert not torch.equal(result, images)
