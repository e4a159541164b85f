"""The card of a model that is shared: what it is, how to use it, and what its run measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from nda.evaluation.outliers.detector import DetectorSettings
from nda.evaluation.record import Evaluation
from nda.report.tables import in_cell
from nda.report.verdicts import headline, run_verdict
from nda.report.words import direction, percent, protocol_words, setting

MOST = 30  # figures on a card


@dataclass(frozen=True)
class Card:
    """What a card says beside its figures; `use` are lines of Python."""

    title: str
    lead: str
    tag: str  # of what the model does, in the hub's words
    use: str
    settings: Mapping[str, object]


def detector_card(about: DetectorSettings, calibrated_on: int) -> Card:
    """Of a detector of anomalous images; `about` are its settings."""
    lead = (
        f"A detector of anomalous images that knows normal ones alone. Scores are judged by "
        f"{calibrated_on:,} of these: of new images as normal as they, at most "
        f"{percent(about.false_alarm_rate)} are flagged on average. How many anomalous ones are "
        "found is not promised, and nothing at all for images of another kind."
    )
    use = (
        'import nda\n\ndetector = nda.AnomalyDetector.from_pretrained("REPOSITORY")\n'
        'found = detector.predict("new/")  # found.scores, found.p_values, found.flags, found.maps'
    )
    return Card("Anomaly detector", lead, "anomaly-detection", use, asdict(about))


def model_card(card: Card, evaluation: Evaluation | None) -> str:
    """Markdown with the head that the hub reads."""
    parts = [
        f"---\nlibrary_name: nda\ntags:\n- {card.tag}\n- negative-data-augmentation\n---",
        f"# {card.title}",
        card.lead,
        f"## Use\n\n```python\n{card.use}\n```",
        f"## What was measured\n\n{run_verdict(evaluation)}",
        *([_figures(evaluation)] if evaluation and evaluation.metrics else []),
        *([_notes(evaluation.notes)] if evaluation and evaluation.notes else []),
        "## Settings\n\n" + _table(
            ("setting", "value"),
            [(f"`{name}`", setting(value)) for name, value in card.settings.items()],
        ),
        "Made with [negative data augmentation](https://arxiv.org/abs/2102.05113) by `nda-torch`.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _figures(evaluation: Evaluation) -> str:
    """A row a figure, that by which the run is judged first."""
    first = headline(evaluation.metrics)
    ordered = sorted(evaluation.metrics, key=lambda metric: metric is not first)
    rows = [
        (
            metric.title + (f" ({direction(metric.better)})" if metric.better else ""),
            in_cell(metric),
            protocol_words(metric.protocol),
        )
        for metric in ordered[:MOST]
    ]
    more = len(ordered) - len(rows)
    said = f"At step {evaluation.step:,}; only figures of the same protocol can be compared."
    table = _table(("figure", "value", "protocol"), rows)
    return f"{said}\n\n{table}" + (f"\n\nAnd {more:,} more." if more else "")


def _notes(notes: Sequence[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)])
