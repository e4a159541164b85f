"""The figures of boxes: names, the table by class, and what is said of absent classes."""

from __future__ import annotations

import math

import pytest
import torch

from nda.errors import ShapeError
from nda.evaluation.boxes.metrics import (
    CLASSES,
    MEANS,
    THRESHOLDS,
    AveragePrecision,
    Truth,
    absent_note,
    box_metrics,
)

HALF_RIGHT = [1.0] * 5 + [0.0] * 5
TRUE = [
    Truth(torch.zeros(3, 4), torch.tensor([0, 0, 2]), torch.tensor([False, False, True])),
    Truth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool)),
]
COCO = AveragePrecision([HALF_RIGHT, None, [0.0] * 10])
VOC = AveragePrecision([HALF_RIGHT, None, None])


def test_thresholds_are_cocos() -> None:
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_both_manners_are_named_and_carry_their_protocols() -> None:
    metrics = box_metrics(COCO, VOC, TRUE, ["cat", "dog", "owl"], {"split": "val"})
    main = {m.name: m for m in metrics if m.table == MEANS}
    values = {name: m.value for name, m in main.items()}
    assert values == {"coco_ap": 0.25, "coco_ap50": 0.5, "coco_ap75": 0.0,
                      "voc_ap": 0.5, "voc_ap50": 1.0, "voc_ap75": 0.0}  # fmt: skip
    assert main["voc_ap50"].protocol == {
        "split": "val", "recalls": "11 points", "difficult": "ignored", "iou": "0.50"
    }  # fmt: skip
    assert main["coco_ap"].protocol["difficult"] == "counted"
    assert (main["voc_ap75"].row, main["voc_ap75"].column) == ("VOC 11-point", "AP75")


def test_absent_classes_have_a_count_and_no_figure_and_are_named() -> None:
    names = ["cat", "dog", "owl"]
    metrics = box_metrics(COCO, VOC, TRUE, names, {})
    cells = {(m.row, m.column): m.value for m in metrics if m.table == CLASSES}
    assert [cells[name, "boxes"] for name in names] == [2, 0, 1]
    assert [column for row, column in cells if row == "dog"] == ["boxes"]
    assert ("owl", "COCO-style AP") in cells
    assert ("owl", "VOC 11-point AP") not in cells
    assert all(math.isfinite(value) for value in cells.values())
    assert absent_note(COCO, VOC, names) == [
        "AP of dog: no box in the test split; not in the means.",
        "VOC 11-point AP of owl: difficult boxes alone in the test split; not in its means.",
    ]


def test_where_all_classes_are_there_nothing_is_said() -> None:
    assert absent_note(AveragePrecision([HALF_RIGHT]), AveragePrecision([HALF_RIGHT]), ["a"]) == []


def test_names_must_be_as_many_as_classes() -> None:
    with pytest.raises(ShapeError, match="figures of 3 classes and 2 names"):
        box_metrics(COCO, VOC, TRUE, ["cat", "dog"], {})
