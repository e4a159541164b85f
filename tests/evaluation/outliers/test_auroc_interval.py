"""The interval of an AUROC against formulas written out, and by how often it holds the truth."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nda.evaluation.intervals import wilson_interval
from nda.evaluation.outliers.auroc_interval import auroc_and_variance, auroc_interval

SCORES = st.lists(st.integers(-4, 4).map(float), min_size=2, max_size=20)  # many ties


def naive(inliers: list[float], outliers: list[float]) -> tuple[float, float]:
    wins = [[(b > a) + (b == a) / 2 for a in inliers] for b in outliers]
    of_outliers = [statistics.fmean(row) for row in wins]
    of_inliers = [statistics.fmean(column) for column in zip(*wins, strict=True)]
    variance = statistics.variance(of_outliers) / len(outliers)
    variance += statistics.variance(of_inliers) / len(inliers)
    return statistics.fmean(of_outliers), variance


@given(SCORES, SCORES)
def test_auroc_and_variance_are_those_of_a_loop_over_pairs(
    inliers: list[float], outliers: list[float]
) -> None:
    found = auroc_and_variance(torch.tensor(inliers), torch.tensor(outliers))
    assert found == pytest.approx(naive(inliers, outliers), abs=1e-12)


@given(SCORES, SCORES)
def test_swapped_sets_mirror_the_interval(inliers: list[float], outliers: list[float]) -> None:
    low, high = auroc_interval(torch.tensor(inliers), torch.tensor(outliers))
    assert 0 <= low <= naive(inliers, outliers)[0] + 1e-12
    assert low <= high <= 1
    swapped = auroc_interval(torch.tensor(outliers), torch.tensor(inliers))
    assert swapped == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_the_interval_is_students_on_the_log_odds() -> None:
    inliers, outliers = [0.0, 1.0, 2.0, 3.0, 4.0], [2.0, 2.5, 3.5]
    value, variance = naive(inliers, outliers)
    centre = math.log(value / (1 - value))
    reach = stats.t.ppf(0.975, 2) * math.sqrt(variance) / (value * (1 - value))
    expected = [1 / (1 + math.exp(-end)) for end in (centre - reach, centre + reach)]
    assert auroc_interval(torch.tensor(inliers), torch.tensor(outliers)) == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 40), (40, 3)])
def test_sets_apart_are_as_certain_as_the_smaller_one_is_large(sizes: tuple[int, int]) -> None:
    low, high = torch.zeros(sizes[0]), torch.ones(sizes[1])
    assert auroc_interval(low, high) == wilson_interval(min(sizes), min(sizes))
    assert auroc_interval(high, low) == wilson_interval(0, min(sizes))


def test_one_image_says_nothing_and_equal_scores_say_half() -> None:
    assert auroc_interval(torch.zeros(1), torch.ones(9)) == (0.0, 1.0)
    assert auroc_interval(torch.zeros(9), torch.ones(1)) == (0.0, 1.0)
    assert auroc_interval(torch.ones(4), torch.ones(9)) == (0.5, 0.5)


def test_more_images_make_the_interval_narrower() -> None:
    rng = torch.Generator().manual_seed(0)
    widths = []
    for count in (100, 10_000):
        inliers, outliers = torch.randn(2, count, generator=rng)
        low, high = auroc_interval(inliers, outliers)
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.1)


@pytest.mark.parametrize(("sizes", "shift"), [((80, 60), 1.0), ((30, 30), 2.326)])
def test_the_interval_holds_the_truth_in_19_of_20_cases(
    sizes: tuple[int, int], shift: float
) -> None:
    rng = torch.Generator().manual_seed(3)
    truth = 0.5 * (1 + math.erf(shift / 2))  # of N(0, 1) against N(shift, 1)
    held = 0
    for _ in range(1000):
        inliers = torch.randn(sizes[0], generator=rng)
        low, high = auroc_interval(inliers, torch.randn(sizes[1], generator=rng) + shift)
        held += low <= truth <= high
    assert 930 <= held <= 980
