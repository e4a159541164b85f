"""AUROCs of pairs against the definition, and intervals against repeated draws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.validity.paired_auroc import folded_aurocs, paired_aurocs

Pair = tuple[Tensor, Tensor]


def naive(images: Tensor, negatives: Tensor) -> float:
    """The share of pairs in order, counting each."""
    pairs = [(float(x), float(y)) for x in images for y in negatives]
    return sum(1.0 if x < y else 0.5 if x == y else 0.0 for x, y in pairs) / len(pairs)


def drawn(seed: int, *, count: int = 150, shift: float = 1.0) -> tuple[Pair, Pair]:
    """Two scores of images and negatives, all of which share something of the image."""
    rng = torch.Generator().manual_seed(seed)
    shared, *noise = torch.randn(5, count, generator=rng)
    first = (shared + noise[0], shared + noise[1] + shift)
    second = (shared + noise[2], shared + noise[3] + shift)
    return first, second


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12),
)
def test_it_is_the_share_of_pairs_in_order(scores: list[tuple[int, int]]) -> None:
    images, negatives = torch.tensor(scores, dtype=torch.float32).T
    flipped = (-images, -negatives)
    found = paired_aurocs([(images, negatives)], [flipped])
    expected = naive(images, negatives)
    assert found.first.value == pytest.approx(expected)
    assert found.second.value == pytest.approx(1 - expected)
    assert found.difference.value == pytest.approx(2 * expected - 1)
    for estimate, least in ((found.first, 0), (found.second, 0), (found.difference, -1)):
        assert least <= estimate.low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.high <= 1


def test_intervals_cover_what_they_say() -> None:
    """Of many draws some 95 % of the intervals hold the truth, that of the difference too."""
    truth = float(torch.distributions.Normal(0, 1).cdf(torch.tensor(0.5)))  # shift 1, variance 4
    draws = 400
    inside = torch.zeros(3)
    for seed in range(draws):
        first, second = drawn(seed)
        found = paired_aurocs([first], [second])
        goals = ((found.first, truth), (found.second, truth), (found.difference, 0.0))
        inside += torch.tensor([float(e.low <= goal <= e.high) for e, goal in goals])
    assert ((inside / draws - 0.95).abs() < 0.035).all(), inside / draws


def test_repetitions_that_differ_widen_the_interval() -> None:
    pairs = [drawn(0, shift=shift)[0] for shift in (0.5, 1.0, 1.5)]
    alone = paired_aurocs([pairs[1]], [pairs[1]]).first
    same = paired_aurocs([pairs[1]] * 3, [pairs[1]] * 3).first
    several = paired_aurocs(pairs, pairs).first
    assert several.value == pytest.approx(sum(naive(*pair) for pair in pairs) / 3)
    assert same.high - same.low == pytest.approx(alone.high - alone.low, rel=0.05)
    assert several.high - several.low > 1.5 * (same.high - same.low)
    assert paired_aurocs(pairs, pairs).difference.low == 0


def test_all_in_order_is_a_point() -> None:
    pair = (torch.arange(5.0), torch.arange(5.0) + 9)
    found = paired_aurocs([pair], [pair])
    assert (found.first.low, found.first.value, found.first.high) == (1, 1, 1)


def test_scores_that_do_not_match_are_refused() -> None:
    first, second = drawn(0)
    with pytest.raises(ShapeError, match=r"same images; got repetitions and images \(1, 150\) and"):
        paired_aurocs([first], [second, second])
    with pytest.raises(ShapeError, match="at least two images and of as many negatives; got"):
        paired_aurocs([(first[0], second[1][:3])], [second])


def test_scores_that_are_not_finite_are_refused() -> None:
    first, second = drawn(0)
    first[0][3] = torch.nan
    with pytest.raises(DataError, match=r"not finite .* try another --seed"):
        paired_aurocs([first], [second])


def folded(seed: int, *, folds: int = 5, count: int = 8) -> tuple[list[Pair], list[Pair]]:
    """Two scores of images that are held out fold by fold; each fold's scale is its own."""
    first, second = [], []
    for fold in range(folds):
        one, other = drawn(1000 * seed + fold, count=count)
        first.append((one[0] * (fold + 1) + 10 * fold, one[1] * (fold + 1) + 10 * fold))
        second.append(other)
    return first, second


def test_folds_are_compared_within_themselves() -> None:
    first, second = folded(0)
    found = folded_aurocs([first], [second])
    aurocs = [naive(*pair) for pair in first], [naive(*pair) for pair in second]
    assert found.first.value == pytest.approx(sum(aurocs[0]) / 5)
    assert found.difference.value == pytest.approx((sum(aurocs[0]) - sum(aurocs[1])) / 5)


def test_intervals_of_few_images_hold_the_truth_at_least_as_often_as_they_say() -> None:
    truth = float(torch.distributions.Normal(0, 1).cdf(torch.tensor(0.5)))
    inside = torch.zeros(3)
    for seed in range(200):
        first, second = folded(seed)
        found = folded_aurocs([first], [second])
        goals = ((found.first, truth), (found.second, truth), (found.difference, 0.0))
        inside += torch.tensor([float(e.low <= goal <= e.high) for e, goal in goals])
    assert (inside / 200 > 0.93).all(), inside / 200


def test_forty_images_without_an_error_leave_something_open() -> None:
    right = [(torch.zeros(8), torch.ones(8))] * 5
    found = folded_aurocs([right], [right])
    assert found.first.low == pytest.approx(0.025 ** (1 / 40))
    assert found.difference.low == pytest.approx(0.025 ** (1 / 40) - 1)
    assert found.difference.high == pytest.approx(1 - 0.025 ** (1 / 40))


def test_repetitions_of_folds_are_averaged_and_mismatches_refused() -> None:
    first, second = folded(1)
    other, _ = folded(2)
    found = folded_aurocs([first, other], [second, second])
    aurocs = [naive(*pair) for pair in (*first, *other)]
    assert found.first.value == pytest.approx(sum(aurocs) / 10)
    with pytest.raises(ShapeError, match="two at least"):
        folded_aurocs([first[:1]], [second[:1]])
    with pytest.raises(ShapeError, match="same folds"):
        folded_aurocs([first], [second[:4]])
