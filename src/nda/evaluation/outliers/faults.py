"""How well faults of each kind are told from normal images, image by image and pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.defects import Defects
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.record import Metric, Protocol

ALL = "all kinds"
_LEVELS = 4096  # of logits, when pixels are counted


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
    """AUROC and average precision a kind and method, and what the calibrated threshold does.

    `calibration` (n,) are the detector's scores of held-out normal images. Metrics are called
    `test_KIND_METHOD_FIGURE` and stand in one table, a row a kind.
    """
    test = scores.test
    first = next(iter(scores.methods))
    metrics = []
    for kind, rows in _kinds(test).items():
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
                        table="Anomalous images against normal ones, by kind of fault",
                        row=f"{kind} ({measures.outliers})",
                        column=f"{title}, {method}",
                    )
                )
    flagged = p_values(scores.methods[first], calibration) <= false_alarm_rate
    return metrics + _verdicts(flagged, test, len(calibration), false_alarm_rate, protocol)


def _kinds(test: Defects) -> dict[str, Tensor]:
    """Which images are of each kind of fault, all of them first."""
    rows = {ALL: ~test.normal}
    for index, kind in enumerate(test.kinds):
        of_kind = (test.labels == index) & ~test.normal
        if bool(of_kind.any()):
            rows[kind] = of_kind
    return rows


def _verdicts(
    flagged: Tensor, test: Defects, calibrated: int, rate: float, protocol: Protocol
) -> list[Metric]:
    """Shares of normal and anomalous test images that the threshold flags."""
    promise: Protocol = {"false_alarm_rate": rate, "calibration_images": calibrated}
    metrics = []
    for name, title, better, rows in (
        ("false_alarms", f"Normal test images flagged (promised: {rate:g})", "lower", test.normal),
        ("detected", f"Anomalous test images flagged at {rate:g}", "higher", ~test.normal),
    ):
        count, total = int(flagged[rows].sum()), int(rows.sum())
        metrics.append(
            Metric(
                name,
                title,
                count / total,
                better,
                {**promise, **protocol, "images": total},
                interval=list(wilson_interval(count, total)),
            )
        )
    return metrics


def pixel_metrics(maps: Tensor, test: Defects, protocol: Protocol) -> list[Metric]:
    """AUROC over all pixels of the test split, and over those of each kind with the normal images.

    `maps` (N, h, w) are logits, enlarged bilinearly to the masks. Where the fault of an image is
    not marked, nothing is known of its pixels: it is left out, and so is a kind of such images.
    """
    if test.masks is None:
        return []
    metrics = []
    marked = test.masks.flatten(1).any(dim=1)
    for kind, rows in _kinds(test).items():
        if not bool((rows & marked).any()):
            continue
        chosen = rows & marked | test.normal
        value = pixel_auroc(maps[chosen], test.masks[chosen])
        metrics.append(
            Metric(
                name=f"test_{kind}_pixel_auroc".replace(" ", "_"),
                title=f"Pixel AUROC on {kind}",
                value=value,
                better="higher",
                protocol={"pixels": "of marked images of the kind and of normal ones", **protocol},
                table="Anomalous images against normal ones, by kind of fault",
                row=f"{kind} ({int(rows.sum())})",
                column="pixel AUROC, detector",
            )
        )
    return metrics


def pixel_auroc(maps: Tensor, masks: Tensor) -> float:
    """AUROC of logits `(N, h, w)` against masks bool `(N, H, W)`, to 1/4096 of their range.

    Pixels are counted level by level, in memory that does not grow with their number.
    """
    low, high = float(maps.min()), float(maps.max())
    counts = torch.zeros(2, _LEVELS, dtype=torch.float64)
    for part, mask in zip(maps.split(64), masks.split(64), strict=True):
        size = list(mask.shape[-2:])
        heat = F.interpolate(part[:, None].float(), size, mode="bilinear", align_corners=False)
        level = ((heat[:, 0] - low) / max(high - low, 1e-12) * (_LEVELS - 1)).round().long()
        for truth in (0, 1):
            found = level[mask == bool(truth)]
            counts[truth] += torch.bincount(found, minlength=_LEVELS)
    normal, faulty = counts
    below = normal.cumsum(0) - normal
    return float((faulty * (below + normal / 2)).sum() / (faulty.sum() * normal.sum()))
