"""Figures of a predicted label map (paper, Table 4): accuracy per pixel and class, mean IoU.

Everything is counted by torchmetrics over all pixels of all images together. Pixels that belong to
no class in truth are left out; a pixel of a class that is predicted as unlabelled is wrong.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.record import Metric, Protocol

CLASSES, CONFUSION = "Classes", "Confusion: share of a true class (row) that is predicted as"
_BATCH = 64  # images counted at once


@dataclass(frozen=True)
class Segmentation:
    """Figures of K classes; lists by class hold None for a class that the truth never has.

    `confusion[i, j]`, int64 `(K, K)`, counts pixels of class i that are predicted as class j; the
    row of the unlabelled class is 0. The means are over the classes that the truth has.
    """

    names: tuple[str, ...]
    pixel_accuracy: float
    class_accuracy: float
    mean_iou: float
    accuracies: list[float | None]
    ious: list[float | None]
    confusion: Tensor
    unlabelled: int | None

    @property
    def pixels(self) -> list[int]:
        """Pixels of each class in truth; 0 for the unlabelled ones, which are not counted."""
        return [int(count) for count in self.confusion.sum(dim=1)]

    @property
    def absent(self) -> list[str]:
        """The classes that the truth never has."""
        return [
            name
            for label, (name, count) in enumerate(zip(self.names, self.pixels, strict=True))
            if count == 0 and label != self.unlabelled
        ]


def measure_segmentation(
    predicted: Tensor, truth: Tensor, names: Sequence[str], *, unlabelled: int | None = None
) -> Segmentation:
    """Compare label maps, both whole numbers `(N, H, W)` in 0..K-1, K the number of `names`.

    `unlabelled` is the class of pixels without one. Raises `ShapeError` for maps that do not match
    or have other values, and `DataError` where the truth has no labelled pixel.
    """
    _check(predicted, truth, len(names))
    # torchmetrics takes half a second to import: not before it is needed.
    from torchmetrics.classification import (
        MulticlassAccuracy,
        MulticlassConfusionMatrix,
        MulticlassJaccardIndex,
    )

    count = len(names)
    # One process measures while the others wait, so there is nobody to exchange counts with.
    how: dict[str, Any] = {"ignore_index": unlabelled, "sync_on_compute": False}
    by_pixel = MulticlassAccuracy(count, average="micro", **how)
    by_class = MulticlassAccuracy(count, average="none", **how)
    overlap = MulticlassJaccardIndex(count, average="none", **how)
    matrix = MulticlassConfusionMatrix(count, **how)
    for metric in (by_pixel, by_class, overlap, matrix):
        for some, true in zip(predicted.split(_BATCH), truth.split(_BATCH), strict=True):
            metric.update(some.cpu(), true.cpu())
    confusion = matrix.compute().cpu()
    present = (confusion.sum(dim=1) > 0).tolist()
    if not any(present):
        raise DataError("The true label maps have no labelled pixel, so nothing can be measured.")
    accuracies = _where(present, by_class.compute())
    ious = _where(present, overlap.compute())
    return Segmentation(
        tuple(names),
        float(by_pixel.compute()),
        statistics.fmean(value for value in accuracies if value is not None),
        statistics.fmean(value for value in ious if value is not None),
        accuracies,
        ious,
        confusion,
        unlabelled,
    )


def segmentation_metrics(found: Segmentation, protocol: Protocol) -> list[Metric]:
    """The three figures of Table 4, a table by class, and the confusion matrix."""
    classes = len(found.names) - (found.unlabelled is not None)
    present = sum(iou is not None for iou in found.ious)
    protocol = protocol | {"classes": f"{present} of {classes} that the truth has"}
    metrics = [
        Metric("pixel_accuracy", "Per-pixel accuracy", found.pixel_accuracy, "higher", protocol),
        Metric("class_accuracy", "Per-class accuracy", found.class_accuracy, "higher", protocol),
        Metric("mean_iou", "Mean IoU", found.mean_iou, "higher", protocol),
    ]
    return [*metrics, *_of_classes(found, protocol), *_of_confusion(found, protocol)]


def _of_classes(found: Segmentation, protocol: Protocol) -> list[Metric]:
    total = sum(found.pixels)
    metrics = []
    for label, name in enumerate(found.names):
        iou, accuracy = found.ious[label], found.accuracies[label]
        if iou is None or accuracy is None:
            continue
        for short, title, value, better in (
            ("iou", "IoU", iou, "higher"),
            ("accuracy", "accuracy", accuracy, "higher"),
            ("share", "share of pixels", found.pixels[label] / total, ""),
        ):
            metrics.append(
                Metric(
                    f"{short}_{name}",
                    f"{name}: {title}",
                    value,
                    better,
                    protocol,
                    table=CLASSES,
                    row=name,
                    column=title,
                )
            )
    return metrics


def _of_confusion(found: Segmentation, protocol: Protocol) -> list[Metric]:
    """Rows are divided by the pixels of their class, and rounded to what a person reads."""
    return [
        Metric(
            f"confusion_{true}_{predicted}",
            f"{true} predicted as {predicted}",
            round(int(found.confusion[row, column]) / found.pixels[row], 4),
            "",
            protocol,
            table=CONFUSION,
            row=true,
            column=predicted,
        )
        for row, true in enumerate(found.names)
        if found.pixels[row]
        for column, predicted in enumerate(found.names)
    ]


def _where(present: Sequence[bool], values: Tensor) -> list[float | None]:
    return [float(v) if there else None for there, v in zip(present, values, strict=True)]


def _check(predicted: Tensor, truth: Tensor, classes: int) -> None:
    if predicted.shape != truth.shape or truth.dim() != 3 or not len(truth):
        raise ShapeError(
            f"Label maps are compared pixel by pixel and must both be (N, H, W); got "
            f"{tuple(predicted.shape)} and {tuple(truth.shape)}."
        )
    for what, maps in (("predicted", predicted), ("true", truth)):
        if maps.dtype.is_floating_point or not 0 <= int(maps.min()) <= int(maps.max()) < classes:
            raise ShapeError(
                f"The {what} label maps must hold classes 0..{classes - 1} as whole numbers."
            )
