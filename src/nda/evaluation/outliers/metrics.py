"""Outlier scores of several kinds side by side: a table a set, and the histograms (Figure 8).

A scorer gives every image a score of each kind, such as that of a discriminator and those of a
classifier. The figures of one set, or of one kind of corruption, share a table, so that it shows
at once where the detector loses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from nda.evaluation.outliers.auroc import OutlierMeasures, measure_outliers
from nda.evaluation.record import Evaluation, Histogram, Metric, Protocol

BINS = 60
INSIDE = "held-out images"  # the name of in-distribution images in a legend
SETS, CORRUPTIONS = "ood_", "corrupted_"  # what the names of these figures begin with

Scores = Mapping[str, Tensor]  # kind to scores (N,), high = anomalous


@dataclass(frozen=True)
class Kind:
    """A kind of score in words; its protocol says how it comes about."""

    title: str
    protocol: Protocol


@dataclass(frozen=True)
class Figure:
    """One of the figures of a set."""

    name: str  # of the field of OutlierMeasures
    title: str
    column: str
    better: str


FIGURES = (
    Figure("auroc", "AUROC", "AUROC (95 % interval)", "higher"),
    Figure("average_precision", "Average precision", "average precision", "higher"),
    Figure(
        "fpr95_ood_positive",
        "FPR95 (OOD positive)",
        "FPR95 (OOD positive)",
        "lower",
    ),
    Figure(
        "fpr95_id_positive",
        "FPR95 (ID positive)",
        "FPR95 (ID positive)",
        "lower",
    ),
)


CONVENTIONS: Protocol = {
    "positive": "out-of-distribution images; scores high = anomalous",
    "FPR95_(OOD_positive)": "share of in-distribution images flagged where 95 % of the "
    "out-of-distribution ones are flagged",
    "FPR95_(ID_positive)": "share of out-of-distribution images accepted where 95 % of the "
    "in-distribution ones are accepted",
    "interval": "95 %, DeLong's variance on the log odds",
}


def set_figures(
    name: str,
    inliers: Scores,
    outliers: Scores,
    kinds: Mapping[str, Kind],
    *,
    protocol: Protocol,
) -> list[Metric]:
    """The table of one out-of-distribution set: a row a kind of score.

    Kinds are those of `kinds`, in its order. Metrics are called `ood_NAME_KIND_FIGURE`. Raises what
    `measure_outliers` raises.
    """
    found = {kind: measure_outliers(inliers[kind], outliers[kind]) for kind in kinds}
    first = next(iter(found.values()))
    table = (
        f"Out-of-distribution {name}: {first.outliers:,} against {first.inliers:,} images, "
        f"base rate {first.base_rate:.3g}"
    )
    counts: Protocol = {
        "in_distribution_images": first.inliers,
        "out_of_distribution_images": first.outliers,
        "base_rate": round(first.base_rate, 6),
        **CONVENTIONS,
    }
    return [
        Metric(
            name=f"{SETS}{name}_{kind}_{figure.name}",
            title=f"{figure.title} of {kinds[kind].title} on {name}",
            value=getattr(measures, figure.name),
            better=figure.better,
            protocol={**counts, **protocol, **kinds[kind].protocol},
            interval=_interval(measures) if figure.name == "auroc" else None,
            table=table,
            row=kinds[kind].title,
            column=figure.column,
            kind={"figure": figure.name, "set": name, "score": kind},
        )
        for kind, measures in found.items()
        for figure in FIGURES
    ]


def _interval(measures: OutlierMeasures) -> list[float]:
    return [measures.auroc_low, measures.auroc_high]


def score_histogram(
    name: str, title: str, axis: str, series: Mapping[str, Tensor], protocol: Protocol
) -> Histogram:
    """Scores (N,) of several sets of images, counted over bins they share."""
    arrays = {label: scores.double().numpy() for label, scores in series.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins=BINS)
    return Histogram(
        name=name,
        title=title,
        axis=axis,
        edges=edges.tolist(),
        series={label: np.histogram(some, edges)[0].tolist() for label, some in arrays.items()},
        protocol=protocol,
    )


def outlier_part(evaluation: Evaluation) -> Evaluation:
    """What of an evaluation was measured with outliers."""

    def of_outliers(name: str) -> bool:  # of histograms, and of metrics of earlier versions
        return name.startswith((SETS, CORRUPTIONS))

    def is_of_outliers(metric: Metric) -> bool:
        if not metric.kind:
            return of_outliers(metric.name)
        return bool({"set", "corruption"} & metric.kind.keys())

    return Evaluation(
        evaluation.step,
        [metric for metric in evaluation.metrics if is_of_outliers(metric)],
        [each for each in evaluation.histograms if of_outliers(each.name)],
    )
