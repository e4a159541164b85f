"""What a check found, and the cells of its table: the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from nda.evaluation.record import Protocol
from nda.evaluation.validity.check import CheckedNegative
from nda.evaluation.validity.distance import Distance
from nda.evaluation.validity.paired_auroc import Estimate
from nda.report.figures import write_figures

HEADER = ("negative", "global AUROC", "local AUROC", "difference", "distance", "verdict")


@dataclass(frozen=True)
class Checked:
    """Everything that a check has to say; the figures of a negative stand in its row."""

    title: str
    summary: str
    notes: list[str]
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


def write_check_figures(path: Path, checked: Checked, command: str) -> Path:
    """Keep what was measured as JSON, with what to type to measure it again."""
    content = {
        "command": command,
        "summary": checked.summary,
        "notes": list(checked.notes),
        "protocol": checked.protocol,
        "negatives": {row.name: _figures(row) for row in checked.negatives},
    }
    write_figures(path, content)
    return path


def _figures(row: CheckedNegative) -> dict[str, object]:
    if row.found is None or row.distance is None or row.judgement is None:
        return {"not_measured": row.refused}
    return {
        "global": asdict(row.found.first),
        "local": asdict(row.found.second),
        "difference": asdict(row.found.difference),
        "distance": asdict(row.distance),
        **asdict(row.judgement),
    }
