"""The thresholds that a reader of scores may choose from, and what each of them promises."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nda.evaluation.outliers.conformal import rank_of_rate
from nda.report.telling import Telling
from nda.report.words import number, percent
from nda.validators import counted

MOST = 100  # thresholds on a page
LOOSEST = 0.5  # rate of false alarms


def threshold_steps(
    calibration: Tensor,
    scores: Tensor,
    rate: float,
    *,
    flagged: int,
    of: str,
    told: Telling | None = None,
) -> tuple[list[tuple[int, str, list[float]]], int]:
    """`promises`, each with how many it flags of what was judged.

    `scores` are those of all of them, of which `flagged` are flagged at `rate`; `of` is what was
    scored, such as image. What is `told` of labels adds what of them is flagged, and the place on
    the curves: share of false alarms, recall and precision.
    """
    steps, now = promises(calibration, rate)
    known = _from_the_highest(calibration)
    found = scores.double().sort().values
    above = (len(found) - torch.searchsorted(found, known, right=True)).tolist()
    counts = [flagged if step == now else above[rank - 1] for step, (rank, _) in enumerate(steps)]
    total = counted(len(found), of)

    def step_of(rank: int, words: str, count: int) -> tuple[int, str, list[float]]:
        said = f"{words} {count:,} of {total} flagged"
        if told is None:
            return rank, f"{said}.", []
        place = told.place(float(found[-count]) if count else math.inf)
        return rank, f"{said}: {place.words}.", place.marks

    return [
        step_of(rank, words, count) for (rank, words), count in zip(steps, counts, strict=True)
    ], now


def promises(calibration: Tensor, rate: float) -> tuple[list[tuple[int, str]], int]:
    """Thresholds from strict to loose, and the place of the one of `rate` among them.

    A step is a rank k and a sentence: what has a p-value of at most k / (n + 1), which is a score
    above the k-th largest of the n of `calibration`, is flagged.
    """
    known = _from_the_highest(calibration)
    n = len(known)
    now = rank_of_rate(rate, n)
    last = min(n, max(now, math.floor(LOOSEST * (n + 1))))
    ranks = sorted({now, *(round(last ** (step / (MOST - 2))) for step in range(MOST - 1))})
    steps = []
    for rank in ranks:
        share = rate if rank == now else rank / (n + 1)
        words = percent(float(f"{share:.3g}"))
        score = number(float(known[rank - 1]))
        steps.append((rank, f"At a false-alarm rate of {words}: a score above {score}."))
    return steps, ranks.index(now)


def _from_the_highest(calibration: Tensor) -> Tensor:
    return calibration.detach().to("cpu", torch.float64).sort(descending=True).values


def rank_of(p_value: float, calibrated_on: int) -> int:
    """The rank k of a p-value k / (n + 1), which may have been rounded in a table."""
    return round(p_value * (calibrated_on + 1))
