"""What an evaluation yields: figures that carry their protocol, and histograms to draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Protocol = dict[str, str | int | float | bool]
WARNING = "warning"  # the part of a protocol that a reader must not overlook


@dataclass(frozen=True)
class Metric:
    """One figure. Two metrics may be compared only where `name` and `protocol` are the same.

    Figures of one `table` are shown together in it, at their `row` and `column`; the others, where
    it is empty, one below the other.
    """

    name: str  # machine name, such as "classifier_frechet"
    title: str  # what a person reads, such as "Classifier Fréchet distance"
    value: float
    better: str  # "lower", "higher", or "" where neither is
    protocol: Protocol
    interval: list[float] | None = None  # its low and high end, where one was computed
    table: str = ""
    row: str = ""
    column: str = ""
    # What it is in parts, such as {"figure": "auroc", "set": "digits", "score": "knn"}: whoever
    # picks figures out goes by these, never by the name. Empty in files of earlier versions.
    kind: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Histogram:
    """Several series counted over the same bins: `len(edges) == len(counts) + 1`."""

    name: str
    title: str
    axis: str
    edges: list[float]
    series: dict[str, list[int]]  # label to counts
    protocol: Protocol


@dataclass(frozen=True)
class Evaluation:
    """Everything measured at one step of a run."""

    step: int
    metrics: list[Metric]
    histograms: list[Histogram] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # of the data, and what was not measured

    def updated(self, newer: Evaluation) -> Evaluation:
        """Both, with the figures of `newer` in place of those of the same name."""
        metrics = {each.name for each in newer.metrics}
        histograms = {each.name for each in newer.histograms}
        return Evaluation(
            self.step,
            [each for each in self.metrics if each.name not in metrics] + newer.metrics,
            [each for each in self.histograms if each.name not in histograms] + newer.histograms,
            self.notes + [note for note in newer.notes if note not in self.notes],
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; kinds only where there are some."""
        plain = asdict(self)
        for metric in plain["metrics"]:
            if not metric["kind"]:
                del metric["kind"]
        return plain

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Evaluation:
        """What `as_dict` gave, also by an earlier version."""
        return cls(
            step=int(fields["step"]),
            metrics=[Metric(**metric) for metric in fields.get("metrics", ())],
            histograms=[Histogram(**histogram) for histogram in fields.get("histograms", ())],
            notes=list(fields.get("notes", ())),
        )
