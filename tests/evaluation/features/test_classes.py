"""Figures of predicted classes: by hand, against a loop, and for many classes."""

from __future__ import annotations

import pytest
import torch

from nda.errors import ShapeError
from nda.evaluation.features.classes import (
    CONFUSION,
    LISTED,
    MIXED_UP,
    class_metrics,
    confusion,
    confusion_csv,
    confusion_metrics,
)
from nda.evaluation.intervals import wilson_interval

NAMES = ("bend", "jack", "wave")


def scores(*predicted: int, classes: int = 3) -> torch.Tensor:
    return torch.eye(classes)[list(predicted)]


def test_accuracy_and_confusion_by_hand() -> None:
    found = class_metrics(scores(0, 0, 1, 2, 1), torch.tensor([0, 0, 0, 2, 2]), NAMES, {"n": 5})
    metrics = {metric.name: metric for metric in found}
    assert metrics["top1"].value == 3 / 5
    assert metrics["top1"].interval == list(wilson_interval(3, 5))
    assert metrics["top1"].protocol == {"n": 5}
    table = {(m.row, m.column): m.value for m in found if m.table == CONFUSION}
    assert table == {
        ("bend", "bend"): pytest.approx(2 / 3, abs=1e-4),
        ("bend", "jack"): pytest.approx(1 / 3, abs=1e-4),
        ("bend", "wave"): 0,
        ("wave", "bend"): 0,
        ("wave", "jack"): 0.5,
        ("wave", "wave"): 0.5,
    }  # no video of jack: nothing to say of it
    assert "top5" not in metrics


def test_the_five_likeliest_count_where_there_are_more_classes() -> None:
    rng = torch.Generator().manual_seed(0)
    probabilities = torch.rand(50, 8, generator=rng).softmax(1)
    labels = torch.randint(8, (50,), generator=rng)
    found = class_metrics(probabilities, labels, [f"c{k}" for k in range(8)], {})
    near = sum(
        int(label) in sorted(range(8), key=lambda k: -float(row[k]))[:5]
        for row, label in zip(probabilities, labels, strict=True)
    )
    metric = next(m for m in found if m.name == "top5")
    assert metric.value == near / 50
    assert metric.interval == list(wilson_interval(near, 50))


def test_of_many_classes_the_commonest_confusions_are_named() -> None:
    classes = [f"c{k:02d}" for k in range(30)]
    labels = torch.arange(30).repeat(4)
    predicted = labels.clone()
    predicted[[0, 30, 60]] = 7  # three of four of c00
    predicted[1] = 2
    found = class_metrics(scores(*predicted.tolist(), classes=30), labels, classes, {})
    rows = [(m.row, m.value) for m in found if m.table == MIXED_UP]
    assert rows == [("c00 as c07", 0.75), ("c01 as c02", 0.25)]
    assert not [m for m in found if m.table == CONFUSION]
    everything_wrong = class_metrics(
        scores(*((labels + 1) % 30).tolist(), classes=30), labels, classes, {}
    )
    assert len([m for m in everything_wrong if m.table == MIXED_UP]) == LISTED


def test_confusions_of_very_many_classes_need_no_matrix() -> None:
    classes = [str(number) for number in range(200_000)]
    labels = torch.tensor([3, 3, 3, 7, 199_999])
    predicted = torch.tensor([3, 9, 9, 8, 0])
    found = confusion_metrics(predicted, labels, classes, {})
    assert [(m.row, m.value) for m in found] == [
        ("3 as 9", 0.6667), ("7 as 8", 1.0), ("199999 as 0", 1.0),
    ]  # fmt: skip


def test_the_matrix_as_text_counts_all_pairs() -> None:
    matrix = confusion(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 2]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]
    assert confusion_csv(matrix, ["a", "b, c", "d"]) == (
        'true \\ predicted,a,"b, c",d\na,1,1,0\n"b, c",0,0,0\nd,0,1,0\n'
    )


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"predictions \(2,\) and labels \(3,\)"):
        class_metrics(scores(0, 1), torch.tensor([0, 1, 2]), NAMES, {})
    with pytest.raises(ShapeError, match=r"predictions \(0,\) and labels \(0,\)"):
        class_metrics(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), NAMES, {})
