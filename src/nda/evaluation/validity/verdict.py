"""Is a negative valid, and is it informative? A verdict from what two probes can tell.

A negative must lie off the data, and it should break global structure while keeping what is local
(paper, section 3). The global probe measures the first, its lead over the local one the second.
That the lead is structure, and no seam longer than a window, shows only where real images carry
the same seam: in their nulls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nda.evaluation.validity.distance import Distance
from nda.evaluation.validity.paired_auroc import Estimate, PairedAurocs

Verdict = Literal["informative", "too easy", "overlaps the data", "undecided"]
VERDICTS: tuple[Verdict, ...] = ("informative", "too easy", "overlaps the data", "undecided")

SEPARATES = 0.6  # AUROC from which a probe tells negatives from images; 0.5 is guessing
GIVEN_AWAY = 0.99  # AUROC of the local probe from which nothing is left for structure to add
LEAD = 1 / 3  # share of the local probe's errors that the global one must do without
FAR = 3  # times the floor of the distance: beyond, probes that see nothing have not learned yet


@dataclass(frozen=True)
class Judgement:
    """A verdict and, in a sentence, its reason."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Control:
    """What the real images beside a negative show of it."""

    treated: bool  # whether they are treated as it is: their nulls differ from them
    twin: str | None = None  # of a negative with hard cuts: the same with cuts that nulls carry
    few: bool = False  # so few that a probe may see nothing because it has learned from too little


def judge(found: PairedAurocs, distance: Distance, control: Control) -> Judgement:
    """The verdict on a negative from the AUROCs of its global (first) and local probe.

    An error is a pair of an image and a negative that a probe puts in the wrong order, so a
    probe's share of errors is 1 - AUROC. In this order:

    - overlaps the data: both intervals end below `SEPARATES`; undecided where the distance to the
      data is beyond `FAR` times its floor, since then there is something to be seen, and where
      the probes learned from few images.
    - too easy: the local AUROC is at least `GIVEN_AWAY`.
    - informative: the global interval begins above `SEPARATES`, that of the difference above 0,
      and the global probe makes fewer errors than the local one by at least the share `LEAD`;
      undecided where the cuts are hard and have a softened twin, which can tell whether that is
      structure.
    - too easy: the local interval begins above `SEPARATES` and that of the difference ends below
      such a lead.
    - undecided: everything else, which more images, steps or seeds may settle.
    """
    whole, local, lead = found.first, found.second, found.difference
    needed = LEAD * (1 - local.value)
    if whole.high < SEPARATES and local.high < SEPARATES:
        return _unseen(found, distance, control)
    if local.value >= GIVEN_AWAY:
        return Judgement(
            "too easy",
            f"Windows of a few pixels give it away (local {_share(local)}): it breaks local "
            "statistics, and nothing about structure need be learned to reject it.",
        )
    if whole.low > SEPARATES and lead.low > 0 and lead.value >= needed:
        if control.twin:
            return Judgement("undecided", _hard(whole, local, control.twin))
        return Judgement("informative", _informative(whole, local, control))
    if local.low > SEPARATES and lead.high < needed:
        return Judgement("too easy", _easy(whole, local))
    return Judgement("undecided", _undecided(found))


def _unseen(found: PairedAurocs, distance: Distance, control: Control) -> Judgement:
    """Of what neither probe tells: data, or something that they have not learned."""
    images = "images that were treated alike" if control.treated else "held-out images"
    neither = (
        f"Neither probe tells it from {images} (global {_share(found.first)}, local "
        f"{_share(found.second)})"
    )
    if distance.value > FAR * max(distance.floor, 0):
        return Judgement(
            "undecided",
            f"{neither}, but its colours and details lie off the data by {distance.value:.3f} of "
            "the data's spread: the probes have not learned it. Give more --steps or images.",
        )
    if control.few:
        return Judgement(
            "undecided",
            f"{neither}, but they learned from few images: that shows nothing. Give more.",
        )
    forbids = "as a negative it would forbid the data itself."
    return Judgement("overlaps the data", f"{neither}: {forbids}")


def _informative(whole: Estimate, local: Estimate, control: Control) -> str:
    if control.treated:
        return (
            f"{_led(whole, local)}, and images that were treated alike do not look so: its "
            "structure is broken beyond what is seen locally."
        )
    return (
        f"{_led(whole, local)}: its structure is broken, or it leaves a trace that is longer than "
        "a window."
    )


def _hard(whole: Estimate, local: Estimate, twin: str) -> str:
    return (
        f"{_led(whole, local)}, but that may be the length of its seams, which no image beside it "
        f"has; {twin} tells whether its structure is broken."
    )


def _led(whole: Estimate, local: Estimate) -> str:
    fewer = 1 - (1 - whole.value) / (1 - local.value)
    return (
        f"The whole image gives it away (global {_share(whole)}) with {100 * fewer:.0f} % fewer "
        f"errors than the windows that say most (local {_share(local)})"
    )


def _easy(whole: Estimate, local: Estimate) -> str:
    than = "as well as" if whole.value >= local.value else "better than"
    return (
        f"Windows of a few pixels tell it about {than} the whole image does (local "
        f"{_share(local)}, global {_share(whole)}): it can be rejected by local statistics alone."
    )


def _undecided(found: PairedAurocs) -> str:
    """Which of the conditions the intervals leave open."""
    whole, local, lead = found.first, found.second, found.difference
    more = "More images, --steps or --seeds may settle it."
    if whole.low <= SEPARATES and local.low <= SEPARATES:
        return (
            f"Whether a probe tells it from the data is not clear: an interval reaches across "
            f"{SEPARATES} (global {_interval(whole)}, local {_interval(local)}). {more}"
        )
    if whole.low <= SEPARATES <= whole.high:
        return f"Whether the global probe tells it is not clear ({_interval(whole)}). {more}"
    if lead.low <= 0 <= lead.high:
        return (
            f"Whether the global probe leads is not clear: the difference {_interval(lead)} may "
            f"be nothing. {more}"
        )
    return (
        f"The global probe leads by {lead.value:+.3f}, and whether by a third of the local "
        f"probe's errors is not clear. {more}"
    )


def _share(estimate: Estimate) -> str:
    return f"{estimate.value:.3f}"


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
