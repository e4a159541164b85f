"""Outlier scores of corrupted images against clean ones (paper, section 5: CIFAR-10-C)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nda.evaluation.outliers.auroc import OutlierMeasures, measure_outliers
from nda.evaluation.outliers.metrics import (
    CONVENTIONS,
    CORRUPTIONS,
    FIGURES,
    INSIDE,
    Kind,
    Scores,
    score_histogram,
)
from nda.evaluation.record import Histogram, Metric, Protocol


class CorruptionFigures:
    """Figures of corrupted images against clean ones, gathered one corruption at a time.

    `detector` is the kind that is measured at every severity; others may be left out of some.
    `source` says whose corruptions they are.
    """

    def __init__(
        self,
        clean: Scores,
        kinds: Mapping[str, Kind],
        detector: str,
        *,
        source: str,
        protocol: Protocol,
    ) -> None:
        self.clean = clean
        self.kinds = kinds
        self.detector = detector
        self.table = f"Corrupted images against clean ones ({source})"
        self.protocol: Protocol = {
            **CONVENTIONS,
            **protocol,
            "positive": "corrupted images; scores high = anomalous",
            "scores": "; ".join(f"{k.title}: {k.protocol['score']}" for k in kinds.values()),
        }
        self.measured: dict[tuple[str, int, str], OutlierMeasures] = {}  # of each kind
        self.scores: dict[int, list[Tensor]] = {}  # of the detector, at each severity

    def add(self, corruption: str, severity: int, corrupted: Scores) -> None:
        """Measure scores of images with one corruption at one severity."""
        for kind, scores in corrupted.items():
            self.measured[corruption, severity, kind] = measure_outliers(self.clean[kind], scores)
        self.scores.setdefault(severity, []).append(corrupted[self.detector])

    def metrics(self) -> list[Metric]:
        """AUROC of each corruption at each severity, and the means over the corruptions.

        They are called `corrupted_NAME_SEVERITY_KIND_auroc` and `corrupted_mean_SEVERITY_KIND_...`.
        """
        each = [
            self._auroc(corruption, severity, kind, measures)
            for (corruption, severity, kind), measures in self.measured.items()
        ]
        return [*each, *self._means()]

    def histogram(self, axis: str) -> Histogram:
        """Scores of clean images, and of all corruptions together at each severity."""
        series = {f"severity {level}": torch.cat(some) for level, some in self.scores.items()}
        return score_histogram(
            f"{CORRUPTIONS}scores",
            "Scores of clean images and of all corruptions together",
            axis,
            {INSIDE: self.clean[self.detector]} | series,
            {**self.protocol, **self.kinds[self.detector].protocol},
        )

    def _auroc(self, corruption: str, severity: int, kind: str, found: OutlierMeasures) -> Metric:
        return Metric(
            name=f"{CORRUPTIONS}{corruption}_{severity}_{kind}_auroc",
            title=f"AUROC of {self.kinds[kind].title} on {corruption} at severity {severity}",
            value=found.auroc,
            better="higher",
            protocol={**self.protocol, **self.kinds[kind].protocol},
            interval=[found.auroc_low, found.auroc_high],
            table=f"{self.table}: AUROC",
            row=corruption.replace("_", " "),
            column=self._column(severity, kind),
            kind=_parts("auroc", corruption, severity, kind),
        )

    def _means(self) -> list[Metric]:
        groups: dict[tuple[int, str], list[OutlierMeasures]] = {}
        for (_, severity, kind), measures in self.measured.items():
            groups.setdefault((severity, kind), []).append(measures)
        return [
            metric
            for (severity, kind), some in groups.items()
            for metric in self._means_of(severity, kind, some)
        ]

    def _means_of(self, severity: int, kind: str, some: list[OutlierMeasures]) -> list[Metric]:
        """The AUROC in the last row of its table; the detector's other figures in a second one."""
        over = f"mean of {len(some)}"
        metrics = []
        for figure in FIGURES if kind == self.detector else FIGURES[:1]:
            auroc = figure.name == "auroc"
            metrics.append(
                Metric(
                    name=f"{CORRUPTIONS}mean_{severity}_{kind}_{figure.name}",
                    title=f"{figure.title} of {self.kinds[kind].title}, {over} corruptions at "
                    f"severity {severity}",
                    value=sum(getattr(each, figure.name) for each in some) / len(some),
                    better=figure.better,
                    protocol={
                        **self.protocol,
                        "base_rate": round(some[0].base_rate, 6),
                        **self.kinds[kind].protocol,
                    },
                    table=f"{self.table}: " + ("AUROC" if auroc else f"other figures, {over}"),
                    row=over if auroc else f"severity {severity}",
                    column=self._column(severity, kind) if auroc else figure.column,
                    kind=_parts(figure.name, "mean", severity, kind),
                )
            )
        return metrics

    def _column(self, severity: int, kind: str) -> str:
        of = "" if kind == self.detector else f", {self.kinds[kind].title}"
        return f"severity {severity}{of}"


def _parts(figure: str, corruption: str, severity: int, score: str) -> dict[str, str]:
    """What a figure is of; the corruption `mean` stands for all of them."""
    return {
        "figure": figure,
        "corruption": corruption,
        "severity": str(severity),
        "score": score,
    }
