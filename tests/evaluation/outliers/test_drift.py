"""Scores of a stream that changes, and of one that does not."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
import torch
from scipy.stats import kstest

from nda.errors import ConfigError
from nda.evaluation.outliers.drift import DriftWatch


def watched(
    calibration: Iterable[float], stream: Iterable[float], rate: float = 0.05, seed: int = 0
) -> DriftWatch:
    watch = DriftWatch(torch.tensor(list(calibration), dtype=torch.float64), rate, seed=seed)
    for score in stream:
        watch.see(score)
    return watch


@pytest.mark.parametrize("digits", [None, 0], ids=["all differ", "many ties"])
def test_ranks_are_uniform_and_independent_while_nothing_changes(digits: int | None) -> None:
    rng = random.Random(0)
    ranks, pairs = [], []
    for seed in range(60):
        draw = (rng.gauss(0, 1) for _ in iter(int, 1))
        drawn = draw if digits is None else (round(each, digits) for each in draw)
        watch = DriftWatch(torch.tensor([next(drawn) for _ in range(10)]).double(), 0.01, seed=seed)
        own = [watch._rank(next(drawn)) for _ in range(50)]
        ranks += own
        pairs += list(pairwise(own))
    assert kstest(ranks, "uniform").pvalue > 0.01
    together = torch.corrcoef(torch.tensor(pairs).T)[0, 1]
    assert abs(float(together)) < 3 / len(pairs) ** 0.5


def test_the_alarm_is_ever_raised_with_at_most_the_promised_chance() -> None:
    rng, alarms, streams, rate = random.Random(1), 0, 400, 0.1
    for seed in range(streams):
        known = [rng.expovariate(1) for _ in range(20)]
        stream = [rng.expovariate(1) for _ in range(200)]
        alarms += watched(known, stream, rate, seed).alarm is not None
    assert alarms / streams <= rate + 2 * (rate * (1 - rate) / streams) ** 0.5
    assert alarms > 0  # or the watch could see nothing


@pytest.mark.parametrize("shift", [1.5, -1.5], ids=["higher", "lower"])
def test_a_change_is_seen_after_it_and_soon(shift: float) -> None:
    rng = random.Random(2)
    known = [rng.gauss(0, 1) for _ in range(200)]
    found = []
    for seed in range(20):
        stream = [rng.gauss(0, 1) for _ in range(100)] + [rng.gauss(shift, 1) for _ in range(200)]
        alarm = watched(known, stream, 0.01, seed).alarm
        assert alarm is not None
        found.append(alarm)
    assert sum(100 < alarm < 160 for alarm in found) >= 18


def test_a_change_is_seen_soon_however_long_all_was_normal_before_it() -> None:
    rng = random.Random(3)
    known = [rng.gauss(0, 1) for _ in range(100)]
    normal = [rng.gauss(0, 1) for _ in range(20_000)]
    changed = [rng.gauss(1, 1) for _ in range(200)]
    assert watched(known, normal, 0.01).alarm is None
    alarm = watched(known, normal + changed, 0.01).alarm
    assert alarm is not None
    # Nothing staked is left of a stream that is a hundred times as long: as if it were so.
    watch = watched(known, normal[:1000], 0.01)
    watch.capital = [0.0] * 3
    for score in changed:
        watch.see(score)
    assert watch.alarm is not None


def test_what_is_staked_and_what_is_held_back_are_1_before_any_bet_is_won(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = DriftWatch(torch.tensor([1.0, 2.0, 3.0]), 1e-6)
    monkeypatch.setattr(watch, "_rank", lambda _: 0.5)  # neither won nor lost
    for count in range(1, 50):
        watch.see(0.0)
        assert sum(watch.capital) + 1 / math.log2(count + 2) == pytest.approx(1)
    assert watch.highest == pytest.approx(1)


def test_capital_is_what_its_bets_won_one_by_one() -> None:
    watch = DriftWatch(torch.tensor([1.0, 2.0, 3.0]), 1e-6)
    drawn = random.Random(0)
    low = none = high = 0.0
    held_back = [1.0, 1 / math.log2(3), 1 / 2]
    highest = 1.0
    # Of four scores none is higher than 10; of five one is higher than 9.
    for count, (score, above, of) in enumerate(((10.0, 0, 4), (9.0, 1, 5)), start=1):
        watch.see(score)
        p = (above + drawn.random()) / of
        new = 0.01 * (low + none + high) + held_back[count - 1] - held_back[count]
        low = (0.99 * low + new / 3) * (1 - (p - 0.5))
        none = 0.99 * none + new / 3
        high = (0.99 * high + new / 3) * (1 + (p - 0.5))
        highest = max(highest, low + none + high + held_back[count])
    assert watch.capital == pytest.approx([low, none, high])
    assert watch.highest == pytest.approx(highest)
    assert list(watch.known) == [1.0, 2.0, 3.0, 9.0, 10.0]


def test_once_raised_an_alarm_stays_and_nothing_more_is_kept() -> None:
    watch = watched([0.0] * 50, range(1, 100), 0.01)
    assert watch.alarm is not None
    assert watch.alarm < 30
    assert len(watch.known) == 50 + watch.alarm


@pytest.mark.parametrize("rate", [0, 1, -0.1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match=f"drift is {rate:g}; it is the chance of an alarm"):
        DriftWatch(torch.zeros(3), rate)
