"""AUROCs of pairs against loops over pairs, and intervals that cover."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.paired_auroc import paired_aurocs


def naive_auroc(images: Tensor, negatives: Tensor) -> float:
    total = 0.0
    for image in images.tolist():
        for negative in negatives.tolist():
            total += 1.0 if negative > image else 0.5 if negative == image else 0.0
    return total / (len(images) * len(negatives))


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 30), st.integers(1, 3), st.integers(0, 2**31), st.integers(2, 50))
def test_values_are_those_of_the_loop(n: int, repetitions: int, seed: int, levels: int) -> None:
    draws = torch.Generator().manual_seed(seed)

    def scores() -> tuple[Tensor, Tensor]:
        first, second = torch.randint(levels, (2, n), generator=draws).float()
        return first, second

    whole = [scores() for _ in range(repetitions)]
    local = [scores() for _ in range(repetitions)]
    found = paired_aurocs(whole, local)
    first = sum(naive_auroc(*pair) for pair in whole) / repetitions
    second = sum(naive_auroc(*pair) for pair in local) / repetitions
    assert found.first.value == pytest.approx(first)
    assert found.second.value == pytest.approx(second)
    assert found.difference.value == pytest.approx(first - second)
    for estimate, least in ((found.first, 0), (found.second, 0), (found.difference, -1)):
        assert least <= estimate.low <= estimate.value <= estimate.high <= 1


def test_intervals_cover_the_truth_about_nineteen_times_in_twenty() -> None:
    draws = torch.Generator().manual_seed(0)
    truth, covered, trials = 0.5 * (1 + math.erf(0.8 / 2)), 0, 300  # of N(0.8, 1) above N(0, 1)
    for _ in range(trials):
        images, noise = torch.randn(2, 80, generator=draws)
        negatives = 0.5 * images + math.sqrt(0.75) * noise + 0.8  # dependent, as in a pair
        estimate = paired_aurocs([(images, negatives)], [(images, negatives)]).first
        covered += estimate.low <= truth <= estimate.high
    assert 0.91 < covered / trials < 0.99


def test_scores_that_agree_differ_by_nothing() -> None:
    draws = torch.Generator().manual_seed(1)
    pair = (torch.randn(40, generator=draws), torch.randn(40, generator=draws) + 1)
    difference = paired_aurocs([pair], [pair]).difference
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_trainings_that_disagree_widen_the_interval() -> None:
    draws = torch.Generator().manual_seed(2)
    images = torch.randn(500, generator=draws)
    good, bad = images + 3, images + 0.2
    steady = paired_aurocs([(images, good)] * 2, [(images, good)] * 2).first
    unsteady = paired_aurocs([(images, good), (images, bad)], [(images, good)] * 2).first
    assert unsteady.high - unsteady.low > 4 * (steady.high - steady.low)


def test_wrong_scores_are_refused() -> None:
    x = torch.zeros(3)
    with pytest.raises(ShapeError, match=r"at least two images.*got \(3,\) and \(2,\)"):
        paired_aurocs([(x, x[:2])], [(x, x)])
    with pytest.raises(ShapeError, match="compared on the same images"):
        paired_aurocs([(x, x)], [(x, x), (x, x)])
    with pytest.raises(DataError, match="Scores of a probe are not finite"):
        paired_aurocs([(x, x.clone().fill_(float("nan")))], [(x, x)])
