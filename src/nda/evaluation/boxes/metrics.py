"""Boxes that were found against those that are there: what is compared, and the figures of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from nda.errors import ShapeError
from nda.evaluation.record import Metric, Protocol

THRESHOLDS = tuple(round(0.5 + 0.05 * k, 2) for k in range(10))  # of IoU
MEANS, CLASSES = "Average precision", "Classes"
_LEVELS: tuple[tuple[str, str, tuple[float, ...]], ...] = (
    ("", "0.50:0.05:0.95", ()),
    ("50", "0.50", (0.5,)),
    ("75", "0.75", (0.75,)),
)


@dataclass(frozen=True)
class Found:
    """What a detector says of an image: boxes `(n, 4)`, labels `(n,)` from 0, scores `(n,)`.

    Boxes are left, top, right, bottom, in pixels from the image's edge.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Truth:
    """What is in an image: boxes `(n, 4)`, labels `(n,)` from 0, and which are difficult `(n,)`."""

    boxes: Tensor
    labels: Tensor
    difficult: Tensor


@dataclass(frozen=True)
class AveragePrecision:
    """Average precision by class (rows) and by IoU threshold (`THRESHOLDS`).

    A row is None for a class of which the truth has no box that counts: it has no recall. The means
    are over the other classes.
    """

    by_class: list[list[float] | None]

    def of_class(self, label: int, *thresholds: float) -> float | None:
        """Mean over the thresholds (all of them if none is given); None for an absent class."""
        row = self.by_class[label]
        if row is None:
            return None
        return statistics.fmean(row[THRESHOLDS.index(each)] for each in thresholds or THRESHOLDS)

    def mean(self, *thresholds: float) -> float:
        """Over classes and thresholds; 0 where no class counts."""
        known = [self.of_class(label, *thresholds) for label in range(len(self.by_class))]
        present = [value for value in known if value is not None]
        return statistics.fmean(present) if present else 0.0


def box_metrics(
    coco: AveragePrecision,
    voc: AveragePrecision,
    truth: Sequence[Truth],
    classes: Sequence[str],
    protocol: Protocol,
) -> list[Metric]:
    """Tables of AP, AP50 and AP75 of both manners: means over the classes, then by class.

    Raises `ShapeError` where the classes are not as many as the figures' rows.
    """
    for found in (coco, voc):
        if len(found.by_class) != len(classes):
            raise ShapeError(
                f"There are figures of {len(found.by_class)} classes and {len(classes)} names; "
                "give a name a class."
            )
    metrics, by_class = [], _counts(truth, classes, protocol)
    for short, manner, found, own in (
        ("coco", "COCO-style", coco, {"recalls": "101 points", "difficult": "counted"}),
        ("voc", "VOC 11-point", voc, {"recalls": "11 points", "difficult": "ignored"}),
    ):
        for ending, level, thresholds in _LEVELS:
            how: Protocol = {**protocol, **own, "iou": level}
            name, title = f"{short}_ap{ending}", f"{manner} AP{ending}"
            metrics.append(
                Metric(
                    name,
                    title,
                    found.mean(*thresholds),
                    "higher",
                    how,
                    table=MEANS,
                    row=manner,
                    column=f"AP{ending}",
                )
            )
            if ending == "75":
                continue  # by class the two others suffice
            by_class += [
                _in_table(row, name, title, value, "higher", how)
                for label, row in enumerate(classes)
                if (value := found.of_class(label, *thresholds)) is not None
            ]
    return metrics + by_class


def _counts(truth: Sequence[Truth], classes: Sequence[str], protocol: Protocol) -> list[Metric]:
    """How many boxes of each class there are, the difficult ones among them."""
    labels = [label for each in truth for label in each.labels.tolist()]
    return [
        _in_table(row, "boxes", "boxes", labels.count(label), "", protocol)
        for label, row in enumerate(classes)
    ]


def _in_table(
    row: str, name: str, title: str, value: float, better: str, protocol: Protocol
) -> Metric:
    return Metric(
        f"{name}_{row}",
        f"{row}: {title}",
        value,
        better,
        protocol,
        table=CLASSES,
        row=row,
        column=title,
    )


def absent_note(coco: AveragePrecision, voc: AveragePrecision, classes: Sequence[str]) -> list[str]:
    """Sentences that name the classes without a box, and those with difficult boxes alone."""
    notes = []
    absent = [name for name, row in zip(classes, coco.by_class, strict=True) if row is None]
    rows = zip(classes, coco.by_class, voc.by_class, strict=True)
    hard = [name for name, ours, theirs in rows if ours is not None and theirs is None]
    if absent:
        notes.append(f"AP of {', '.join(absent)}: no box in the test split; not in the means.")
    if hard:
        notes.append(
            f"VOC 11-point AP of {', '.join(hard)}: difficult boxes alone in the test split; not "
            "in its means."
        )
    return notes


def check_boxes(found: Sequence[Found], truth: Sequence[Truth], classes: int) -> None:
    """Refuse what does not match (`ShapeError`)."""
    if len(found) != len(truth):
        raise ShapeError(f"Boxes were found in {len(found)} images and are known of {len(truth)}.")
    rows = [(each.boxes, each.labels, each.scores) for each in found]
    rows += [(each.boxes, each.labels, each.difficult) for each in truth]
    for boxes, labels, beside in rows:
        count = len(labels)
        if boxes.shape != (count, 4) or beside.shape != (count,):
            raise ShapeError(
                f"An image has boxes of shape {tuple(boxes.shape)}, {count} labels and "
                f"{tuple(beside.shape)} beside them; give (n, 4), (n,) and (n,)."
            )
        if count and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ShapeError(
                f"Labels must lie in 0..{classes - 1}; got {int(labels.min())}.."
                f"{int(labels.max())}."
            )
