"""Every threshold on the page flags what the p-values flag at its rate."""

from __future__ import annotations

import re

import pytest
import torch

from nda.evaluation.outliers.conformal import conformal_threshold, p_values
from nda.report.telling import telling
from nda.report.thresholds import MOST, rank_of, threshold_steps


@pytest.mark.parametrize("calibrated_on", [19, 99, 500, 5000])
def test_counts_and_promises_are_those_of_the_p_values(calibrated_on: int) -> None:
    rng = torch.Generator().manual_seed(calibrated_on)
    known = torch.randn(calibrated_on, generator=rng).round(decimals=1)  # with ties
    scores = torch.randn(300, generator=rng).round(decimals=1) + 0.5
    rate = 0.053
    p = p_values(scores, known)
    flagged = int((p <= rate).sum())
    steps, now = threshold_steps(known, scores, rate, flagged=flagged, of="image")
    ranks = [rank for rank, _, _ in steps]
    assert ranks == sorted(set(ranks))
    assert ranks[0] == 1
    assert len(steps) <= MOST
    assert ranks[-1] == int(0.5 * (calibrated_on + 1))
    for place, (rank, words, _) in enumerate(steps):
        at = rate if place == now else rank / (calibrated_on + 1)
        by_hand = int((p <= at + 1e-12).sum())
        assert f" {by_hand:,} of 300 images flagged." in words
        assert (
            torch.tensor([rank_of(float(each), calibrated_on) for each in p]) <= rank
        ).sum() == (by_hand)
    threshold = conformal_threshold(known, rate)
    assert re.match(
        rf"At a false-alarm rate of 5\.3 %: a score above {threshold:.4g}.", steps[now][1]
    )


def test_a_rate_above_the_loosest_is_offered_too() -> None:
    steps, now = threshold_steps(torch.rand(9), torch.rand(1), 0.8, flagged=1, of="video")
    assert now == len(steps) - 1
    assert steps[now][1].endswith("1 of 1 video flagged.")


def test_no_scores_leave_nothing_to_flag() -> None:
    steps, _ = threshold_steps(torch.rand(19), torch.empty(0), 0.05, flagged=0, of="image")
    assert all(words.endswith("0 of 0 images flagged.") for _, words, _ in steps)


def test_a_rounded_p_value_keeps_its_rank() -> None:
    for rank in (1, 17, 4321):
        assert rank_of(float(f"{rank / 5001:.6g}"), 5000) == rank


def test_labels_are_counted_at_every_threshold() -> None:
    rng = torch.Generator().manual_seed(1)
    known, scores = torch.randn(99, generator=rng), torch.randn(60, generator=rng).double()
    labels, rate = torch.arange(60) % 3 - 1, 0.05  # a third without, normal, anomalous
    flags = p_values(scores, known) <= rate
    told = telling(scores, labels, int(flags.sum()), "")
    steps, _ = threshold_steps(known, scores, rate, flagged=int(flags.sum()), of="image", told=told)
    for rank, words, marks in steps:
        flags = p_values(scores, known) <= rank / 100 + 1e-9
        found, false = (int(flags[labels == label].sum()) for label in (1, 0))
        assert words.endswith(f"flagged: {found} of 20 anomalous, {false} of 20 normal.")
        precision = found / (found + false) if found + false else 1
        assert marks == pytest.approx([false / 20, found / 20, precision], abs=1e-4)
