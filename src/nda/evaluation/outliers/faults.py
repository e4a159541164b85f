"""How well images with faults of each kind are told from normal ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from nda.data.images.defects import Defects
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values, rank_of_rate
from nda.evaluation.record import Metric, Protocol

ALL = "all kinds"
TABLE = "Anomalous images against normal ones, by kind of fault"
FLAGGED = "Images flagged, by the false-alarm rate that is promised"
USUAL = (0.01, 0.05)  # rates that are told beside the detector's own


@dataclass(frozen=True)
class FaultScores:
    """Outlier scores (N,) of the test images by method; the first method is the detector."""

    methods: Mapping[str, Tensor]
    test: Defects


def fault_metrics(
    scores: FaultScores,
    calibration: Tensor,
    false_alarm_rate: float,
    *,
    protocol: Protocol,
) -> list[Metric]:
    """AUROC and average precision a kind and method, and what calibrated thresholds do.

    `calibration` (n,) are the detector's scores of normal images that it does not know. Metrics are
    called `test_KIND_METHOD_FIGURE` and stand in one table, a row a kind. What is flagged stands in
    another, a row a rate: `false_alarm_rate`, and the usual ones as far as they can be promised and
    have another threshold.
    """
    test = scores.test
    first = next(iter(scores.methods))
    metrics = []
    for kind, rows in kinds_of(test).items():
        for method, values in scores.methods.items():
            measures = measure_outliers(values[test.normal], values[rows])
            counts: Protocol = {
                "method": method,
                "normal_images": measures.inliers,
                "anomalous_images": measures.outliers,
                "base_rate": round(measures.base_rate, 4),
            }
            figures = {"auroc": "AUROC", "average_precision": "average precision"}
            for figure, title in figures.items():
                if figure != "auroc" and method != first:
                    continue  # of the others, one figure to compare with is enough
                interval = [measures.auroc_low, measures.auroc_high] if figure == "auroc" else None
                metrics.append(
                    Metric(
                        name=f"test_{kind}_{method}_{figure}".replace(" ", "_"),
                        title=f"{title} of {method} on {kind}",
                        value=getattr(measures, figure),
                        better="higher",
                        protocol={**counts, **protocol},
                        interval=interval,
                        table=TABLE,
                        row=f"{kind} ({measures.outliers})",
                        column=f"{title}, {method}",
                        kind={"figure": figure, "fault": kind, "method": method},
                    )
                )
    rarity = p_values(scores.methods[first], calibration)
    told = {0}  # of which nothing can be promised
    for rate in (false_alarm_rate, *USUAL):
        rank = rank_of_rate(rate, len(calibration))
        if rank not in told:
            told.add(rank)
            own = "" if rate == false_alarm_rate else f"_at_{rate:g}"
            flagged = rarity <= rate
            metrics += _verdicts(flagged, test, len(calibration), rate, protocol, own)
    return metrics


def kinds_of(test: Defects) -> dict[str, Tensor]:
    """Which images are of each kind of fault, all of them first."""
    rows = {ALL: ~test.normal}
    for index, kind in enumerate(test.kinds):
        of_kind = (test.labels == index) & ~test.normal
        if bool(of_kind.any()):
            rows[kind] = of_kind
    return rows


def _verdicts(
    flagged: Tensor, test: Defects, calibrated: int, rate: float, protocol: Protocol, own: str
) -> list[Metric]:
    """Shares of normal and anomalous test images that the threshold of a rate flags."""
    metrics = []
    for name, column, better, rows in (
        ("false_alarms", "normal test images flagged", "lower", test.normal),
        ("detected", "anomalous test images flagged", "higher", ~test.normal),
    ):
        count, total = int(flagged[rows].sum()), int(rows.sum())
        metrics.append(
            Metric(
                name + own,
                f"{column[0].upper()}{column[1:]} at a promised rate of {rate:g}",
                count / total,
                better,
                {
                    "false_alarm_rate": rate,
                    "calibration_images": calibrated,
                    **protocol,
                    "images": total,
                },
                interval=list(wilson_interval(count, total)),
                table=FLAGGED,
                row=f"promised: at most {100 * rate:g} % of normal images",
                column=column,
            )
        )
    return metrics
