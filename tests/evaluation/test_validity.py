"""Verdicts from what two probes can tell."""

from __future__ import annotations

import pytest

from nda.evaluation.paired_auroc import Estimate, PairedAurocs
from nda.evaluation.spread import Distance
from nda.evaluation.validity import VERDICTS, judge

NEAR, FAR = Distance(0.001, 0.001), Distance(0.1, 0.001)


def found(whole: float, local: float, half: float = 0.01) -> PairedAurocs:
    def estimate(value: float) -> Estimate:
        return Estimate(value, value - half, value + half)

    return PairedAurocs(estimate(whole), estimate(local), estimate(whole - local))


@pytest.mark.parametrize(
    ("whole", "local", "half", "distance", "verdict", "reason"),
    [
        (0.51, 0.50, 0.02, NEAR, "overlaps the data", "would forbid the data itself"),
        (0.51, 0.50, 0.02, FAR, "undecided", "the probes have not learned it"),
        (1.00, 1.00, 0.00, FAR, "too easy", "nothing about structure need be learned"),
        (1.00, 0.995, 0.00, FAR, "too easy", "Windows of a few pixels give it away"),
        (0.96, 0.78, 0.01, FAR, "informative", "82 % fewer errors"),
        (0.81, 0.63, 0.01, NEAR, "informative", "49 % fewer errors"),
        (0.67, 0.69, 0.01, FAR, "too easy", "better than the whole image does"),
        (0.90, 0.89, 0.02, FAR, "too easy", "as well as the whole image does"),
        (0.60, 0.58, 0.03, NEAR, "undecided", "an interval reaches across 0.6"),
        (0.62, 0.55, 0.05, NEAR, "undecided", "an interval reaches across 0.6"),
        (0.80, 0.72, 0.09, FAR, "undecided", "may be nothing"),
        (0.80, 0.72, 0.03, FAR, "undecided", "whether by a third of the local probe's errors"),
    ],
)
def test_each_case_has_its_verdict_and_its_reason(
    *, whole: float, local: float, half: float, distance: Distance, verdict: str, reason: str
) -> None:
    judgement = judge(found(whole, local, half), distance)
    assert judgement.verdict == verdict
    assert reason in judgement.reason


def test_every_place_of_the_plane_has_a_verdict() -> None:
    seen = set()
    for whole in range(45, 101, 3):
        for local in range(45, 101, 3):
            for half in (0.0, 0.02, 0.1):
                seen.add(judge(found(whole / 100, local / 100, half), NEAR).verdict)
    assert seen == set(VERDICTS)
