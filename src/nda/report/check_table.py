"""What a check found, and the cells of its table: the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from nda.evaluation.record import Protocol
from nda.evaluation.validity.distance import Distance
from nda.evaluation.validity.paired_auroc import Estimate, PairedAurocs
from nda.evaluation.validity.verdict import Judgement

HEADER = ("negative", "global AUROC", "local AUROC", "difference", "distance", "verdict")


@dataclass(frozen=True)
class CheckedNegative:
    """One negative: what the probes found, or why it could not be made of these images."""

    name: str
    refused: str = ""
    found: PairedAurocs | None = None  # global, local, and the global less the local
    distance: Distance | None = None
    judgement: Judgement | None = None
    examples: Tensor | None = None  # uint8 (n, 3, H, W), made of `Checked.examples`

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Checked:
    """Everything that a check has to say."""

    title: str
    summary: str
    notes: Sequence[str]
    protocol: Protocol
    negatives: Sequence[CheckedNegative]
    examples: Tensor  # uint8 (n, 3, H, W): held-out images


def cells(negative: CheckedNegative, *, brief: bool = False) -> list[str]:
    """Of a negative that was measured, in the order of `HEADER` without its name.

    `brief` gives half of each interval in place of its ends, so that a row fits a terminal.
    """
    assert negative.found is not None
    assert negative.distance is not None
    assert negative.judgement is not None
    found = negative.found
    shown = _halved if brief else _interval
    return [
        shown(found.first, ""),
        shown(found.second, ""),
        shown(found.difference, "+"),
        _distance(negative.distance),
        negative.judgement.verdict,
    ]


def _interval(estimate: Estimate, sign: str) -> str:
    value, low, high = (_short(x, sign) for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def _halved(estimate: Estimate, sign: str) -> str:
    """`.953 ±.004`."""
    half = (estimate.high - estimate.low) / 2
    return f"{_short(estimate.value, sign)} ±{_short(half, '')}"


def _short(value: float, sign: str) -> str:
    """Without the nought, and with a proper minus."""
    return f"{value:{sign}.3f}".replace("0.", ".", 1).replace("-", "−")


def _distance(distance: Distance) -> str:
    """To the third decimal; within the data's own differences it is told apart from nothing."""
    if distance.value <= distance.floor:
        return f"≤{_short(max(distance.floor, 0.0005), '')}"
    return _short(distance.value, "")
