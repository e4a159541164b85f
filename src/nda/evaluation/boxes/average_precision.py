"""Average precision as COCO takes it: precision at 101 recalls, found boxes with IoU >= t right."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from nda.errors import ConfigError
from nda.evaluation.boxes.metrics import THRESHOLDS, AveragePrecision, Found, Truth, check_boxes


def require_coco() -> None:
    """Refuse where what counts in COCO's manner is not installed (`ConfigError`)."""
    if importlib.util.find_spec("faster_coco_eval") is None:
        raise ConfigError(
            "COCO-style figures are counted by faster-coco-eval, which is not installed; "
            "pip install 'nda-torch[detection]'."
        )


def coco_precision(
    found: Sequence[Found], truth: Sequence[Truth], classes: int
) -> AveragePrecision:
    """By torchmetrics; at most 100 boxes an image and class, difficult ones counted as others.

    Lists have an element an image. Raises `ShapeError` for tensors that do not match.
    """
    require_coco()
    check_boxes(found, truth, classes)
    # torchmetrics takes half a second to import: not before it is needed.
    from torchmetrics.detection import MeanAveragePrecision

    present = sorted({label for each in truth for label in each.labels.tolist()})
    by_class: list[list[float] | None] = [None] * classes
    if not present:
        return AveragePrecision(by_class)
    # One process measures while the others wait, so there is nobody to exchange counts with.
    metric = MeanAveragePrecision(
        backend="faster_coco_eval", extended_summary=True, sync_on_compute=False
    )
    metric.warn_on_many_detections = False
    metric.update(
        [{"boxes": f.boxes, "labels": f.labels, "scores": f.scores} for f in found],
        [{"boxes": t.boxes, "labels": t.labels} for t in truth],
    )
    result = metric.compute()
    # (IoU thresholds, recalls, classes, areas, most boxes): all areas, 100 boxes.
    precision = result["precision"][:, :, :, 0, -1].mean(dim=1)  # (thresholds, classes)
    for column, label in enumerate(result["classes"].reshape(-1).tolist()):
        if label in present:
            by_class[label] = precision[:, column].tolist()
    return AveragePrecision(by_class)


RECALLS = 11  # 0, 0.1, ..., 1


@dataclass(frozen=True)
class _Best:
    """Of a found box: its score, and the true box of its class that it overlaps most."""

    score: float
    image: int
    overlap: float  # IoU; 0 without a true box
    box: int


def voc11_precision(
    found: Sequence[Found], truth: Sequence[Truth], classes: int
) -> AveragePrecision:
    """Found boxes in order of their scores; each belongs to the true box it overlaps most.

    It is right where IoU is above the threshold and nothing of a higher score has that box.
    Difficult boxes neither need to be found nor make what finds them wrong. Lists have an element
    an image. Raises `ShapeError` for tensors that do not match.
    """
    check_boxes(found, truth, classes)
    return AveragePrecision([_of_class(found, truth, label) for label in range(classes)])


def _of_class(found: Sequence[Found], truth: Sequence[Truth], label: int) -> list[float] | None:
    boxes = [each.boxes[each.labels == label] for each in truth]
    difficult = [each.difficult[each.labels == label].tolist() for each in truth]
    count = sum(not hard for image in difficult for hard in image)
    if not count:
        return None
    best = [
        each
        for image, every in enumerate(found)
        for each in _best_overlaps(every, label, boxes[image], image)
    ]
    best.sort(key=lambda each: -each.score)  # stable: equal scores keep their order
    return [_interpolated(_hits(best, difficult, limit), count) for limit in THRESHOLDS]


def _best_overlaps(every: Found, label: int, boxes: Tensor, image: int) -> list[_Best]:
    chosen = every.labels == label
    scores = every.scores[chosen].tolist()
    if not len(boxes):
        return [_Best(score, image, 0.0, 0) for score in scores]
    overlaps = box_iou(every.boxes[chosen].double(), boxes.double())  # (found, true)
    highest = overlaps.max(dim=1)
    return [
        _Best(score, image, overlap, box)
        for score, overlap, box in zip(
            scores, highest.values.tolist(), highest.indices.tolist(), strict=True
        )
    ]


def _hits(
    best: Sequence[_Best], difficult: Sequence[Sequence[bool]], threshold: float
) -> list[bool]:
    """Of each found box that counts, by falling score, whether it is right."""
    taken: set[tuple[int, int]] = set()
    hits = []
    for each in best:
        place = (each.image, each.box)
        if each.overlap <= threshold:
            hits.append(False)
        elif not difficult[each.image][each.box]:
            hits.append(place not in taken)
            taken.add(place)
    return hits


def _interpolated(hits: Sequence[bool], count: int) -> float:
    """The mean over recalls 0, 0.1, ..., 1 of the highest precision at that recall or above."""
    if not hits:
        return 0.0
    right = torch.tensor(hits).cumsum(0)
    precision = right / torch.arange(1, len(hits) + 1)
    total = 0.0
    for tenth in range(RECALLS):
        reached = (RECALLS - 1) * right >= tenth * count  # in whole numbers: exact
        total += float(precision[reached].max()) if bool(reached.any()) else 0.0
    return total / RECALLS
