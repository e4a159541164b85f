"""Label figures against a loop over pixels; perfection, absent classes, what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.segmentation import measure_segmentation, segmentation_metrics

NAMES = ("sky", "road", "tree", "void")


def maps(seed: int, count: int = 3, classes: int = 4) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(classes, (count, 4, 5), generator=rng)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 0, 3]))
def test_figures_are_those_of_a_loop_over_pixels(seed: int, unlabelled: int | None) -> None:
    predicted, truth = maps(seed), maps(seed + 20_000)
    found = measure_segmentation(predicted, truth, NAMES, unlabelled=unlabelled)
    confusion = [[0] * 4 for _ in range(4)]
    for guess, true in zip(predicted.flatten().tolist(), truth.flatten().tolist(), strict=True):
        if true != unlabelled:
            confusion[true][guess] += 1
    assert found.confusion.tolist() == confusion
    right = sum(confusion[c][c] for c in range(4))
    assert found.pixel_accuracy == pytest.approx(right / sum(map(sum, confusion)))
    present = [c for c in range(4) if sum(confusion[c])]
    accuracy = {c: confusion[c][c] / sum(confusion[c]) for c in present}
    iou = {
        c: confusion[c][c]
        / (sum(confusion[c]) + sum(row[c] for row in confusion) - confusion[c][c])
        for c in present
    }
    assert found.class_accuracy == pytest.approx(sum(accuracy.values()) / len(present))
    assert found.mean_iou == pytest.approx(sum(iou.values()) / len(present))
    for c in range(4):
        assert found.accuracies[c] == (pytest.approx(accuracy[c]) if c in present else None)
        assert found.ious[c] == (pytest.approx(iou[c]) if c in present else None)


@pytest.mark.parametrize("unlabelled", [None, 3])
def test_a_perfect_prediction_scores_exactly_one(unlabelled: int | None) -> None:
    truth = maps(1, count=70)
    found = measure_segmentation(truth, truth, NAMES, unlabelled=unlabelled)
    assert (found.pixel_accuracy, found.class_accuracy, found.mean_iou) == (1.0, 1.0, 1.0)
    metrics = {metric.name: metric.value for metric in segmentation_metrics(found, {})}
    assert metrics["iou_tree"] == metrics["confusion_tree_tree"] == 1.0
    assert metrics["confusion_tree_sky"] == 0.0


def test_unlabelled_pixels_do_not_count_but_predicting_them_is_wrong() -> None:
    truth = torch.tensor([[[0, 0, 1, 3]]])
    found = measure_segmentation(torch.tensor([[[0, 3, 1, 0]]]), truth, NAMES, unlabelled=3)
    assert found.pixel_accuracy == pytest.approx(2 / 3)
    assert found.accuracies == [0.5, 1.0, None, None]
    assert found.ious == [0.5, 1.0, None, None]


def test_classes_that_the_truth_has_not_are_said_and_never_nan() -> None:
    truth = maps(2, classes=2)
    found = measure_segmentation(maps(3, classes=3), truth, NAMES, unlabelled=3)
    assert found.absent == ["tree"]
    metrics = segmentation_metrics(found, {"split": "test split"})
    assert all(math.isfinite(metric.value) for metric in metrics)
    assert metrics[0].protocol == {
        "split": "test split",
        "classes": "2 of 3 that the truth has",
    }
    assert {metric.row for metric in metrics if metric.table} == {"sky", "road"}
    columns = {m.column for m in metrics if m.name.startswith("confusion")}
    assert columns == set(NAMES)


def test_the_metrics_are_named_for_people_and_machines() -> None:
    metrics = segmentation_metrics(measure_segmentation(maps(4), maps(5), NAMES), {})
    assert [metric.title for metric in metrics[:3]] == [
        "Per-pixel accuracy",
        "Per-class accuracy",
        "Mean IoU",
    ]
    shares = [metric.value for metric in metrics if metric.name.startswith("share_")]
    assert sum(shares) == pytest.approx(1)
    for name in NAMES:
        row = [m.value for m in metrics if m.name.startswith(f"confusion_{name}_")]
        assert sum(row) == pytest.approx(1, abs=4e-4)


def test_maps_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"must both be \(N, H, W\); got \(3, 4, 5\) and \(2, 4,"):
        measure_segmentation(maps(0), maps(0, count=2), NAMES)
    with pytest.raises(ShapeError, match=r"predicted label maps must hold classes 0\.\.3"):
        measure_segmentation(maps(0) + 1, maps(0), NAMES)
    with pytest.raises(ShapeError, match=r"true label maps must hold classes 0\.\.3"):
        measure_segmentation(maps(0), maps(0).float(), NAMES)
    with pytest.raises(DataError, match="have no labelled pixel, so nothing can be measured"):
        measure_segmentation(maps(0), torch.full((3, 4, 5), 3), NAMES, unlabelled=3)
