"""What labelled scores say, against counting."""

from __future__ import annotations

import pytest
import torch

from nda.evaluation.outliers.auroc import measure_outliers
from nda.report.telling import telling
from nda.report.verdicts import NOTHING_LEARNED

SCORES = torch.tensor([5.0, 4.0, 3.0, 3.0, 2.0, 1.0, 9.0])
LABELS = torch.tensor([1, 1, 0, 1, 0, 0, -1])


def test_what_was_flagged_is_counted_by_label() -> None:
    told = telling(SCORES, LABELS, 3, "By folders.")  # of all: 9, which has no label, 5 and 4
    assert told is not None
    assert told.flagged.words == "2 of 3 anomalous, 0 of 3 normal"
    assert told.flagged.marks == [0.0, 0.6667, 1.0]
    assert told.place(3.0).words == "3 of 3 anomalous, 1 of 3 normal"
    assert told.place(3.0).marks == [0.3333, 1.0, 0.75]
    nothing = telling(SCORES, LABELS, 0, "")
    assert nothing is not None
    assert nothing.flagged.marks == [0.0, 0.0, 1.0]


def test_the_verdict_has_both_figures_with_their_intervals() -> None:
    told = telling(SCORES, LABELS, 3, "")
    assert told is not None
    figures = measure_outliers(SCORES[LABELS == 0], SCORES[LABELS == 1])
    assert f"AUROC {figures.auroc:.3f} (95 %: {figures.auroc_low:.3f} to" in told.verdict
    assert f"average precision {figures.average_precision:.3f} (95 %:" in told.verdict
    assert told.verdict.endswith(
        "guessing would be 0.5 and 0.5. Flagged: 2 of 3 anomalous, 0 of 3 normal."
    )


def test_scores_that_know_nothing_are_said_to() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 2
    by_chance = telling(torch.rand(200, generator=rng), labels, 5, "")
    known = telling(torch.rand(200, generator=rng) + labels, labels, 5, "")
    assert by_chance is not None
    assert known is not None
    assert by_chance.verdict.startswith(NOTHING_LEARNED)
    assert not known.verdict.startswith(NOTHING_LEARNED)


@pytest.mark.parametrize("label", [0, 1, -1])
def test_one_kind_alone_tells_nothing(label: int) -> None:
    assert telling(SCORES, torch.full_like(LABELS, label), 2, "") is None
