"""COCO-style average precision against figures taken by hand."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from nda.errors import ConfigError, ShapeError
from nda.evaluation.boxes.average_precision import coco_precision, require_coco
from nda.evaluation.boxes.metrics import Found, Truth

Rows = list[tuple[list[float], int, float]]  # box, label, score


def found(rows: Rows) -> Found:
    return Found(
        torch.tensor([row[0] for row in rows]).reshape(-1, 4),
        torch.tensor([row[1] for row in rows], dtype=torch.int64),
        torch.tensor([row[2] for row in rows]),
    )


def truth(rows: list[tuple[list[float], int]], *difficult: int) -> Truth:
    hard = torch.zeros(len(rows), dtype=torch.bool)
    hard[list(difficult)] = True
    return Truth(
        torch.tensor([row[0] for row in rows]).reshape(-1, 4),
        torch.tensor([row[1] for row in rows], dtype=torch.int64),
        hard,
    )


A, B, FAR = [0.0, 0, 10, 10], [20.0, 0, 30, 10], [60.0, 60, 70, 70]
SIX_TENTHS = [0.0, 0, 10, 6]  # IoU 0.6 with A
HALF = [0.0, 0, 10, 5]  # IoU 0.5 with A


def test_two_of_three_boxes_with_a_wrong_one_between() -> None:
    """By falling score: right, wrong, right; of 3 boxes 2 are found.

    Precision is 1 at recalls up to 1/3 (34 of the 101), 2/3 up to 2/3 (33 more), and 0 beyond.
    """
    result = coco_precision(
        [found([(A, 0, 0.9), (FAR, 0, 0.8), (B, 0, 0.7)])],
        [truth([(A, 0), (B, 0), ([40, 40, 50, 50], 0)])],
        1,
    )
    expected = (34 * 1 + 33 * 2 / 3) / 101
    assert result.mean() == pytest.approx(expected)
    assert result.mean(0.5) == pytest.approx(expected)
    assert result.mean(0.75) == pytest.approx(expected)


def test_a_box_counts_up_to_its_overlap() -> None:
    result = coco_precision([found([([0, 0, 10, 7.2], 0, 0.9)])], [truth([(A, 0)])], 1)
    # IoU 0.72: right at .50, .55, .60, .65 and .70 of the ten.
    assert result.by_class[0] == pytest.approx([1] * 5 + [0] * 5)
    assert result.mean() == pytest.approx(0.5)
    assert result.mean(0.5) == pytest.approx(1)
    assert result.mean(0.75) == pytest.approx(0)


def test_an_overlap_of_exactly_the_threshold_counts() -> None:
    assert coco_precision([found([(HALF, 0, 0.9)])], [truth([(A, 0)])], 1).mean(0.5) == 1


def test_difficult_boxes_count_as_others() -> None:
    result = coco_precision([found([(A, 0, 0.9)])], [truth([(A, 0), (B, 0)], 1)], 1)
    assert result.mean(0.5) == pytest.approx(51 / 101)  # recalls 0 to 0.50


def test_classes_without_a_box_are_not_in_the_mean() -> None:
    result = coco_precision(
        [found([(A, 0, 0.9), (FAR, 1, 0.9)]), found([])], [truth([(A, 0)]), truth([(B, 2)])], 4
    )
    assert [row is None for row in result.by_class] == [False, True, False, True]
    assert result.of_class(1) is None
    assert result.of_class(2) == 0
    assert result.mean() == pytest.approx(0.5)


def test_nothing_found_and_nothing_there() -> None:
    assert coco_precision([found([])], [truth([(A, 0)])], 1).mean() == 0
    nothing = coco_precision([found([(A, 0, 0.9)])], [truth([])], 1)
    assert nothing.by_class == [None]
    assert nothing.mean() == 0


def test_its_mean_is_that_of_torchmetrics() -> None:
    from torchmetrics.detection import MeanAveragePrecision

    rng = torch.Generator().manual_seed(0)
    images_found, images_true = [], []
    for _ in range(12):
        corner = torch.rand(6, 2, generator=rng) * 40
        boxes = torch.cat([corner, corner + 5 + torch.rand(6, 2, generator=rng) * 20], dim=1)
        labels = torch.randint(4, (6,), generator=rng)
        moved = boxes + torch.randn(6, 4, generator=rng)
        images_true.append(Truth(boxes, labels, torch.zeros(6, dtype=torch.bool)))
        images_found.append(Found(moved, labels, torch.rand(6, generator=rng)))
    metric = MeanAveragePrecision(backend="faster_coco_eval")
    metric.update(
        [{"boxes": f.boxes, "labels": f.labels, "scores": f.scores} for f in images_found],
        [{"boxes": t.boxes, "labels": t.labels} for t in images_true],
    )
    theirs, ours = metric.compute(), coco_precision(images_found, images_true, 4)
    assert 0.1 < ours.mean() < 0.9
    assert ours.mean() == pytest.approx(float(theirs["map"]), abs=1e-6)
    assert ours.mean(0.5) == pytest.approx(float(theirs["map_50"]), abs=1e-6)
    assert ours.mean(0.75) == pytest.approx(float(theirs["map_75"]), abs=1e-6)


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"not installed; pip install 'nda-torch\[detection\]'"):
        require_coco()


def test_what_does_not_match_is_refused() -> None:
    with pytest.raises(ShapeError, match="found in 1 images and are known of 2"):
        coco_precision([found([])], [truth([]), truth([])], 1)
    with pytest.raises(ShapeError, match=r"Labels must lie in 0\.\.0; got 0\.\.3"):
        coco_precision([found([(A, 3, 0.5), (A, 0, 0.5)])], [truth([(A, 0)])], 1)
    odd = Found(torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64), torch.zeros(1))
    with pytest.raises(ShapeError, match=r"boxes of shape \(2, 4\), 2 labels and \(1,\) beside"):
        coco_precision([odd], [truth([])], 1)
