"""Conformal p-values and thresholds, against counting by hand and against their promise."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ConfigError, DataError, ShapeError
from nda.evaluation.outliers.conformal import (
    conformal_threshold,
    images_needed,
    p_values,
    rank_of_rate,
)

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=60)  # many ties
RATES = st.integers(1, 99).map(lambda percent: percent / 100)


def naive_p_value(score: float, calibration: list[float]) -> float:
    return (1 + sum(known >= score for known in calibration)) / (len(calibration) + 1)


@given(SCORES, SCORES)
def test_p_values_are_counted(scores: list[float], calibration: list[float]) -> None:
    found = p_values(torch.tensor(scores), torch.tensor(calibration))
    assert found.dtype == torch.float64
    assert found.tolist() == [naive_p_value(score, calibration) for score in scores]


@given(SCORES, RATES)
def test_the_threshold_flags_exactly_what_the_p_value_flags(
    calibration: list[float], rate: float
) -> None:
    known = torch.tensor(calibration)
    if len(calibration) < images_needed(rate):
        with pytest.raises(ConfigError):
            conformal_threshold(known, rate)
        return
    threshold = conformal_threshold(known, rate)
    grid = torch.arange(-6, 6, 0.5)
    assert torch.equal(grid > threshold, p_values(grid, known) <= rate)


@given(SCORES, RATES)
def test_the_threshold_is_the_score_of_the_rank(calibration: list[float], rate: float) -> None:
    rank = rank_of_rate(rate, len(calibration))
    assert (rank == 0) == (len(calibration) < images_needed(rate))
    if rank:
        known = torch.tensor(calibration)
        assert conformal_threshold(known, rate) == sorted(calibration, reverse=True)[rank - 1]
    assert rank_of_rate(0.29, 99) == 29  # 0.29 * 100 is 28.999999999999996


@given(SCORES, SCORES)
def test_only_the_order_of_scores_matters(scores: list[float], calibration: list[float]) -> None:
    first, second = torch.tensor(scores), torch.tensor(calibration)
    stretched = p_values(first.double().exp() * 3, second.double().exp() * 3)
    assert torch.equal(p_values(first, second), stretched)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("rate", "images"), [(0.01, 99), (0.01, 250), (0.05, 64), (0.2, 21)])
def test_new_normal_images_are_flagged_at_most_at_the_rate(
    rate: float, images: int, *, ties: bool
) -> None:
    rng = torch.Generator().manual_seed(images)
    trials = 1500

    def normal(count: int) -> Tensor:
        scores = torch.randn(trials, count, generator=rng)
        return (scores * 2).round() if ties else scores

    calibration, new = normal(images), normal(100)
    thresholds = [conformal_threshold(row, rate) for row in calibration]
    flagged = (new > torch.tensor(thresholds).unsqueeze(1)).double().mean(dim=1)
    error = float(flagged.std()) / math.sqrt(trials)
    promised = math.floor(rate * (images + 1) + 1e-9) / (images + 1)
    assert float(flagged.mean()) <= promised + 4 * error
    if not ties:  # then the rate is used up: the threshold is not merely high
        assert float(flagged.mean()) >= promised - 4 * error


def test_the_number_of_images_a_rate_needs() -> None:
    rates = (0.5, 0.1, 0.05, 0.03, 0.01, 0.001, 0.0001)
    assert [images_needed(rate) for rate in rates] == [1, 9, 19, 33, 99, 999, 9999]


@given(st.integers(1, 999))
def test_a_rate_of_whole_thousandths_is_not_lost_to_rounding(thousandths: int) -> None:
    scores = torch.arange(999).double()
    assert conformal_threshold(scores, thousandths / 1000) == 999 - thousandths


def test_the_shape_is_that_of_the_scores() -> None:
    found = p_values(torch.tensor([[0.0, 2.0]]), torch.tensor([1.0]))
    assert found.tolist() == [[1.0, 0.5]]


def test_too_few_images_are_refused_with_the_number_needed() -> None:
    with pytest.raises(ConfigError) as caught:
        conformal_threshold(torch.zeros(98), 0.01)
    assert str(caught.value) == (
        "A false-alarm rate of 0.01 needs at least 99 normal images to calibrate on, and there "
        "are 98. Give more of them, or accept a rate of 0.0102 or more."
    )
    assert conformal_threshold(torch.zeros(98), 0.0102) == 0.0


@given(st.integers(1, 5000))
def test_the_rate_that_is_offered_instead_is_accepted(images: int) -> None:
    with pytest.raises(ConfigError) as caught:
        conformal_threshold(torch.zeros(images), 1e-5)
    offered = float(str(caught.value).split("a rate of ")[1].split(" ")[0])
    assert conformal_threshold(torch.zeros(images), offered) == 0.0


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 5.0, math.nan])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"must lie between 0 and 1, such as 0\.01\."):
        images_needed(rate)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    good, broken = torch.zeros(3), torch.tensor([0.0, bad])
    with pytest.raises(DataError, match=r"^The scores hold 1 of 2 values that are not finite"):
        p_values(broken, good)
    with pytest.raises(DataError, match=r"^The calibration scores hold 1 of 2 values"):
        p_values(good, broken)
    with pytest.raises(DataError, match=r"^The calibration scores hold 1 of 2 values"):
        conformal_threshold(broken, 0.5)


@pytest.mark.parametrize("shape", [(0,), (), (2, 3)])
def test_calibration_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"must be of shape \(n,\) with at least one of them"):
        p_values(torch.zeros(2), torch.zeros(shape))
