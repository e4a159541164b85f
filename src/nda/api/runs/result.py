"""What a run gives to Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nda.evaluation.record import Evaluation, Metric


@dataclass(frozen=True, repr=False)
class RunResult:
    """A run that was trained or measured: its folder, its figures, its page.

    `evaluation` holds the figures of its last step, each with its protocol, histograms, and notes;
    `notes` are sentences that came up on the way.
    """

    run: Path
    evaluation: Evaluation
    report: Path
    notes: tuple[str, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The figures by their names, such as `metrics["classifier_frechet"].value`."""
        return {metric.name: metric for metric in self.evaluation.metrics}

    @property
    def step(self) -> int:
        """The step that was measured."""
        return self.evaluation.step

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {each.value:.4g}" for name, each in self.metrics.items())
        return f"RunResult({self.run} at step {self.step}: {figures})"
