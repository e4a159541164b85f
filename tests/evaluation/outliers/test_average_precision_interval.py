"""The interval of an average precision against loops, and by how often it holds the truth."""

from __future__ import annotations

import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nda.evaluation.intervals import wilson_interval
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.average_precision_interval import (
    average_precision_and_variance,
    average_precision_interval,
)

SCORES = st.lists(st.integers(-4, 4).map(float), min_size=2, max_size=12)  # many ties


def weighted(
    inliers: list[float], outliers: list[float], inside: list[float], outside: list[float]
) -> float:
    """Average precision where every image counts as often as its weight says."""
    total = 0.0
    for score, weight in zip(outliers, outside, strict=True):
        found = sum(w for s, w in zip(outliers, outside, strict=True) if s >= score)
        false = sum(w for s, w in zip(inliers, inside, strict=True) if s >= score)
        total += weight * found / (found + false)
    return total / len(outliers)


@given(SCORES, SCORES)
def test_the_variance_is_that_of_what_each_image_would_change(
    inliers: list[float], outliers: list[float]
) -> None:
    n, m, small = len(inliers), len(outliers), 1e-5
    ones: tuple[list[float], list[float]] = ([1.0] * n, [1.0] * m)
    value = weighted(inliers, outliers, *ones)
    changes: list[list[float]] = [[], []]
    for part in (0, 1):
        for index in range(len(ones[part])):
            more, less = ([list(each) for each in ones] for _ in range(2))
            more[part][index] += small
            less[part][index] -= small
            rise = weighted(inliers, outliers, *more) - weighted(inliers, outliers, *less)
            changes[part].append(rise / (2 * small))
    # Weights of a set are shares of it: an image's change is so many times larger.
    expected = statistics.variance([n * change for change in changes[0]]) / n
    expected += statistics.variance([m * change for change in changes[1]]) / m
    found = average_precision_and_variance(torch.tensor(inliers), torch.tensor(outliers))
    assert found == pytest.approx((value, expected), abs=1e-6)
    measured = measure_outliers(torch.tensor(inliers), torch.tensor(outliers))
    assert found[0] == pytest.approx(measured.average_precision)


@given(SCORES, SCORES)
def test_it_holds_the_estimate_and_stays_within_0_and_1(
    inliers: list[float], outliers: list[float]
) -> None:
    inside, outside = torch.tensor(inliers), torch.tensor(outliers)
    low, high = average_precision_interval(inside, outside)
    value = measure_outliers(inside, outside).average_precision
    assert 0 <= low <= value + 1e-9
    assert value <= high + 1e-9
    assert high <= 1


@pytest.mark.parametrize("sizes", [(2, 2), (3, 40), (40, 3)])
def test_sets_apart_are_as_certain_as_the_smaller_one_is_large(sizes: tuple[int, int]) -> None:
    low, high = torch.zeros(sizes[0]), torch.ones(sizes[1])
    assert average_precision_interval(low, high) == wilson_interval(min(sizes), min(sizes))


def test_one_image_says_nothing() -> None:
    assert average_precision_interval(torch.zeros(1), torch.ones(9)) == (0.0, 1.0)
    assert average_precision_interval(torch.zeros(9), torch.ones(1)) == (0.0, 1.0)


def test_the_interval_holds_the_truth_in_19_of_20_cases() -> None:
    rng = torch.Generator().manual_seed(3)
    many = torch.randn(2, 200_000, generator=rng)
    truth = measure_outliers(many[0], many[1] + 1).average_precision
    held = 0
    for _ in range(600):
        inliers, outliers = torch.randn(2, 60, generator=rng)
        low, high = average_precision_interval(inliers, outliers + 1)
        held += low <= truth <= high
    assert 552 <= held <= 588  # 92 % to 98 %
