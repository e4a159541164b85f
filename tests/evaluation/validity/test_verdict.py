"""The verdicts, each at the border of the next."""

from __future__ import annotations

import pytest

from nda.evaluation.validity.distance import Distance
from nda.evaluation.validity.paired_auroc import Estimate, PairedAurocs
from nda.evaluation.validity.verdict import Control, Judgement, judge

TREATED, PLAIN = Control(treated=True), Control(treated=False)
HARD = Control(treated=False, twin="jigsaw:seam=feather")


def judged(
    whole: float,
    local: float,
    half: float = 0.01,
    distance: float = 0.001,
    control: Control = TREATED,
) -> Judgement:
    """The verdict where every interval reaches `half` to either side."""
    found = PairedAurocs(*(around(x, half) for x in (whole, local, whole - local)))
    return judge(found, Distance(distance, 0.001), control)


def around(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, min(value + half, 1))


@pytest.mark.parametrize(
    ("whole", "local", "verdict"),
    [
        (0.51, 0.50, "overlaps the data"),
        (0.58, 0.585, "overlaps the data"),
        (0.40, 0.45, "overlaps the data"),
        (1.00, 1.00, "too easy"),
        (1.00, 0.991, "too easy"),
        (0.99, 0.93, "informative"),
        (0.80, 0.60, "informative"),
        (0.95, 0.50, "informative"),
        (0.75, 0.97, "too easy"),
        (0.93, 0.935, "too easy"),
        (0.75, 0.70, "too easy"),
        (0.55, 0.75, "too easy"),
        (0.80, 0.70, "undecided"),  # a lead of just the third that is asked for, but for rounding
        (0.60, 0.50, "undecided"),
        (0.595, 0.5, "undecided"),
        (0.63, 0.58, "undecided"),  # the global probe sees it, and is not clearly better
    ],
)
def test_verdicts(whole: float, local: float, verdict: str) -> None:
    if (whole, local) == (0.80, 0.70):
        whole -= 1e-9
    assert judged(whole, local).verdict == verdict


def test_wide_intervals_leave_it_open() -> None:
    assert judged(0.85, 0.75, half=0.01).verdict == "informative"
    assert judged(0.85, 0.75, half=0.11).verdict == "undecided"
    assert judged(0.76, 0.75, half=0.01).verdict == "too easy"
    assert judged(0.76, 0.75, half=0.1).verdict == "undecided"
    assert judged(0.52, 0.51, half=0.1).verdict == "undecided"


def test_probes_that_saw_nothing_of_what_lies_far_off_have_not_learned() -> None:
    assert judged(0.51, 0.50, distance=0.002).verdict == "overlaps the data"
    found = judged(0.51, 0.50, distance=0.2)
    assert found.verdict == "undecided"
    assert "off the data by 0.200 of the data's spread: the probes have not learned" in found.reason


@pytest.mark.parametrize(
    ("whole", "local", "half", "reason"),
    [
        (0.51, 0.50, 0.01, "tells it from images that were treated alike (global 0.510, local"),
        (1.00, 1.00, 0.0, "Windows of a few pixels give it away (local 1.000)"),
        (0.99, 0.90, 0.01, "(global 0.990) with 90 % fewer errors than the windows that say most"),
        (0.70, 0.90, 0.01, "tell it about better than the whole image"),
        (0.76, 0.75, 0.01, "tell it about as well as the whole image does (local 0.750, global"),
        (0.60, 0.50, 0.11, "an interval reaches across 0.6 (global 0.600 [0.490, 0.710]"),
        (0.7, 0.76, 0.155, "Whether the global probe tells it is not clear (0.700 [0.545, 0.855])"),
        (0.80, 0.78, 0.06, "the difference 0.020 [-0.040, 0.080] may be nothing"),
        (0.795, 0.70, 0.01, "leads by +0.095, and whether by a third of the local probe's errors"),
    ],
)
def test_reasons_name_the_figures(whole: float, local: float, half: float, reason: str) -> None:
    assert reason in judged(whole, local, half).reason


def test_a_hard_cut_is_never_called_informative() -> None:
    """What the whole image shows beyond a window may be the length of its seam."""
    found = judged(0.99, 0.90, control=HARD)
    assert found.verdict == "undecided"
    assert "may be the length of its seams" in found.reason
    assert found.reason.endswith("jigsaw:seam=feather tells whether its structure is broken.")
    for whole, local in ((0.51, 0.50), (1.0, 0.991), (0.76, 0.75), (0.70, 0.90), (0.63, 0.58)):
        assert judged(whole, local, control=HARD).verdict == judged(whole, local).verdict


def test_only_beside_treated_images_is_it_structure() -> None:
    claims = {
        TREATED: "its structure is broken beyond what is seen locally",
        PLAIN: "or it leaves a trace that is longer than a window",
    }
    for control, claim in claims.items():
        found = judged(0.99, 0.90, control=control)
        assert found.verdict == "informative"
        assert claim in found.reason
    assert "from held-out images (" in judged(0.51, 0.50, control=PLAIN).reason


def test_few_images_cannot_show_that_there_is_nothing_to_see() -> None:
    few = Control(treated=True, few=True)
    found = judged(0.51, 0.50, control=few)
    assert found.verdict == "undecided"
    assert "they learned from few images" in found.reason
    assert judged(0.99, 0.70, control=few).verdict == "informative"
