"""The sentence of an audit follows its interval."""

from __future__ import annotations

import pytest

from nda.evaluation.shortcuts.audit import Audit, Compared
from nda.report.shortcut_table import audited, verdict

FOUND = Compared(gap=2.0, gap_interval=(1.9, 2.1), above=0.75, above_interval=(0.7, 0.8))


def audit(share: float | None, low: float = 0.0, high: float = 0.0) -> Audit:
    interval = None if share is None else (low, high)
    return Audit(300, {"jigsaw": FOUND}, share, interval, 0.5, (0.44, 0.56))


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (audit(0.035, 0.02, 0.05), "is mostly seams: structure share 3.5% [2, 5]"),
        (audit(0.7, 0.6, 0.8), "is mostly structure: structure share 70.0% [60, 80]"),
        (audit(0.5, 0.4, 0.6), "is structure as well as seams: structure share 50.0%"),
        (audit(None), "The critic does not score images above their jigsaws; it scores 50.0%"),
    ],
)
def test_one_sentence_says_what_was_learned(measured: Audit, words: str) -> None:
    said = verdict("critic", measured)
    assert words in said
    assert said.endswith("of images above their jigsaws when both have the same blurred seams.")


def test_a_row_for_every_comparison() -> None:
    said = audited("critic", audit(None))
    (row,) = said.table.rows
    assert (row.name, *row.cells) == ("jigsaw", "2.00 ± 0.10", "75.0% [70, 80]")
    assert said.as_dict()["compared"]["jigsaw"]["gap"] == 2.0
