"""Figures of outlier scores, against loops over pairs and thresholds, and by their properties."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.outliers.auroc import OutlierMeasures, measure_outliers
from nda.evaluation.outliers.auroc_interval import auroc_interval

SCORES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=40)  # many ties


def measure(inliers: list[float] | Tensor, outliers: list[float] | Tensor) -> OutlierMeasures:
    return measure_outliers(torch.as_tensor(inliers), torch.as_tensor(outliers))


def naive_auroc(inliers: list[float], outliers: list[float]) -> float:
    wins = [(b > a) + (b == a) / 2 for a in inliers for b in outliers]
    return sum(wins) / len(wins)


def naive_average_precision(inliers: list[float], outliers: list[float]) -> float:
    total, recall = 0.0, 0.0
    for threshold in sorted({*inliers, *outliers}, reverse=True):
        found = sum(b >= threshold for b in outliers)
        flagged = found + sum(a >= threshold for a in inliers)
        total += (found / len(outliers) - recall) * found / flagged
        recall = found / len(outliers)
    return total


def naive_flagged(inliers: list[float], outliers: list[float]) -> float:
    """Try every threshold: flag what is at or above it."""
    return min(
        sum(a >= threshold for a in inliers) / len(inliers)
        for threshold in (*inliers, *outliers)
        if 100 * sum(b >= threshold for b in outliers) >= 95 * len(outliers)
    )


def naive_accepted(inliers: list[float], outliers: list[float]) -> float:
    """Try every threshold: accept what is at or below it."""
    return min(
        sum(b <= threshold for b in outliers) / len(outliers)
        for threshold in (*inliers, *outliers)
        if 100 * sum(a <= threshold for a in inliers) >= 95 * len(inliers)
    )


@given(SCORES, SCORES)
def test_every_figure_is_what_a_loop_finds(inliers: list[float], outliers: list[float]) -> None:
    found = measure(inliers, outliers)
    assert found.auroc == pytest.approx(naive_auroc(inliers, outliers))
    assert found.average_precision == pytest.approx(naive_average_precision(inliers, outliers))
    assert found.fpr95_ood_positive == naive_flagged(inliers, outliers)
    assert found.fpr95_id_positive == naive_accepted(inliers, outliers)
    assert found.base_rate == len(outliers) / (len(inliers) + len(outliers))
    assert (found.inliers, found.outliers) == (len(inliers), len(outliers))


@given(SCORES, SCORES)
def test_swapped_sets_mirror_the_figures(inliers: list[float], outliers: list[float]) -> None:
    found, swapped = measure(inliers, outliers), measure(outliers, inliers)
    assert swapped.auroc == pytest.approx(1 - found.auroc)
    # Turned over and swapped, accepting the one is flagging the other.
    turned = measure([-b for b in outliers], [-a for a in inliers])
    assert turned.auroc == pytest.approx(found.auroc)
    assert turned.fpr95_ood_positive == found.fpr95_id_positive
    assert turned.fpr95_id_positive == found.fpr95_ood_positive


@given(SCORES, SCORES)
def test_only_the_order_of_scores_matters(inliers: list[float], outliers: list[float]) -> None:
    stretched = measure([math.exp(a) for a in inliers], [math.exp(b) for b in outliers])
    assert stretched == measure(inliers, outliers)


@given(SCORES, SCORES)
def test_the_order_of_images_does_not_matter(inliers: list[float], outliers: list[float]) -> None:
    found, other = measure(inliers, outliers), measure(inliers[::-1], sorted(outliers))
    for name in ("auroc", "average_precision", "fpr95_ood_positive", "fpr95_id_positive"):
        assert getattr(found, name) == getattr(other, name)


@given(SCORES, SCORES, st.integers(2, 4))
def test_copies_of_every_outlier_change_the_base_rate_alone(
    inliers: list[float], outliers: list[float], copies: int
) -> None:
    once, often = measure(inliers, outliers), measure(inliers, outliers * copies)
    assert often.auroc == pytest.approx(once.auroc)
    assert often.fpr95_ood_positive == once.fpr95_ood_positive
    assert often.base_rate > once.base_rate


@given(SCORES, SCORES)
def test_figures_lie_in_their_range(inliers: list[float], outliers: list[float]) -> None:
    found = measure(inliers, outliers)
    shares = [v for k, v in asdict(found).items() if k not in ("inliers", "outliers")]
    assert all(0 <= share <= 1 for share in shares)
    assert found.auroc_low <= found.auroc_high
    n, m = len(inliers), len(outliers)
    every_inlier_first = sum(i / (n + i) for i in range(1, m + 1)) / m
    assert found.average_precision >= every_inlier_first - 1e-12


def test_the_two_conventions_of_fpr95_differ_hugely() -> None:
    inliers = torch.linspace(0, 1, 1000)
    outliers = torch.cat([torch.full((100,), -1.0), torch.full((900,), 2.0)])  # a tenth hides
    found = measure(inliers, outliers)
    assert found.fpr95_ood_positive == 1.0
    assert found.fpr95_id_positive == 0.1


def test_95_of_100_are_enough() -> None:
    """Whichever set is wanted, its hardest twentieth need not be caught."""
    wanted = torch.cat([torch.full((95,), 2.0), torch.zeros(5)])
    others = torch.ones(10)
    assert measure(others, wanted).fpr95_ood_positive == 0
    assert measure(-wanted, -others).fpr95_id_positive == 0
    wanted[0] = 0  # now it must be, with all the others above it
    assert measure(others, wanted).fpr95_ood_positive == 1
    assert measure(-wanted, -others).fpr95_id_positive == 1


def test_separated_sets_and_equal_scores() -> None:
    apart = measure([0.0, 1.0], [2.0, 3.0])
    assert (apart.auroc, apart.average_precision) == (1.0, 1.0)
    assert (apart.fpr95_ood_positive, apart.fpr95_id_positive) == (0.0, 0.0)
    same = measure([5.0] * 6, [5.0] * 2)
    assert (same.auroc, same.average_precision) == (0.5, 0.25)
    assert (same.fpr95_ood_positive, same.fpr95_id_positive) == (1.0, 1.0)


def test_scores_that_float32_tells_apart_stay_apart() -> None:
    score = torch.tensor([1.0])
    assert measure(score, torch.nextafter(score, torch.tensor([2.0]))).auroc == 1.0


def test_the_interval_is_that_of_the_auroc() -> None:
    inliers, outliers = torch.arange(20.0), torch.arange(20.0) + 5
    found = measure(inliers, outliers)
    assert (found.auroc_low, found.auroc_high) == auroc_interval(inliers, outliers)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    good, broken = torch.zeros(4), torch.tensor([0.0, bad, 1.0])
    with pytest.raises(DataError) as caught:
        measure(broken, good)
    assert str(caught.value) == (
        "1 of 3 scores of in-distribution images are not finite (NaN or infinite), so nothing can "
        "be measured with them. The network has diverged or an image is broken; evaluate an "
        "earlier checkpoint."
    )
    with pytest.raises(DataError, match="1 of 3 scores of out-of-distribution images are not"):
        measure(good, broken)


@pytest.mark.parametrize("shape", [(0,), (), (2, 2)])
def test_scores_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"in-distribution images must be of shape \(n,\)"):
        measure(torch.zeros(shape), torch.zeros(3))
    with pytest.raises(ShapeError, match=r"out-of-distribution images must be of shape \(n,\)"):
        measure(torch.zeros(3), torch.zeros(shape))
