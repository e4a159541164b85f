"""Average precision as COCO takes it: precision at 101 recalls, found boxes with IoU >= t right."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from nda.errors import ConfigError
from nda.evaluation.boxes.metrics import AveragePrecision, Found, Truth, check_boxes


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
    metric = MeanAveragePrecision(backend="faster_coco_eval", extended_summary=True)
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
