"""What an evaluation yields: figures that carry their protocol, and histograms to draw."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Protocol = dict[str, str | int | float | bool]


@dataclass(frozen=True)
class Metric:
    """One figure. Two metrics may be compared only where `name` and `protocol` are the same."""

    name: str  # machine name, such as "classifier_frechet"
    title: str  # what a person reads, such as "Classifier Fréchet distance"
    value: float
    better: str  # "lower", "higher", or "" where neither is
    protocol: Protocol


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
    notes: list[str] = field(default_factory=list)  # what was not measured, and why

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
