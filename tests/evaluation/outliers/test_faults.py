"""Figures kind by kind against naive ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.data.images.defects import Defects
from nda.evaluation.outliers.conformal import conformal_threshold
from nda.evaluation.outliers.faults import (
    ALL,
    FLAGGED,
    TABLE,
    FaultScores,
    fault_metrics,
)
from nda.evaluation.record import Metric

KINDS = ("crack", "good", "scratch deep")
LABELS = [1, 0, 2, 1, 0, 1, 1, 0, 1, 1]
METHODS = ("detector", "nearest pixels")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def invented(masks: Tensor | None = None) -> Defects:
    """Ten test images: six good ones, three cracks, a scratch."""
    labels = torch.tensor(LABELS)
    images = torch.zeros(10, 3, 16, 16, dtype=torch.uint8)
    return Defects(images, labels, KINDS, labels == 1, masks)


def scores(seed: int = 0) -> FaultScores:
    first, second = torch.randn(2, 10, generator=seeded(seed)).mul(2).round()  # with ties
    return FaultScores(dict(zip(METHODS, (first, second), strict=True)), invented())


def measured(found: FaultScores, rate: float = 0.2) -> dict[str, Metric]:
    calibration = torch.linspace(-3, 3, 30)
    metrics = fault_metrics(found, calibration, rate, protocol={"split": "test split"})
    assert len({metric.name for metric in metrics}) == len(metrics)
    return {metric.name: metric for metric in metrics}


def naive_auroc(normal: list[float], faulty: list[float]) -> float:
    pairs = [(f > n) + (f == n) / 2 for f in faulty for n in normal]
    return sum(pairs) / len(pairs)


def naive_average_precision(normal: list[float], faulty: list[float]) -> float:
    """Precision at each threshold that occurs, weighed by the recall it adds."""
    total, before = 0.0, 0.0
    for level in sorted({*normal, *faulty}, reverse=True):
        found = sum(f >= level for f in faulty)
        flagged = found + sum(n >= level for n in normal)
        recall = found / len(faulty)
        total += (recall - before) * found / flagged
        before = recall
    return total


@pytest.mark.parametrize("seed", range(5))
def test_figures_of_each_kind_and_method_are_the_naive_ones(seed: int) -> None:
    found = scores(seed)
    metrics = measured(found)
    for method in METHODS:
        values = found.methods[method].tolist()
        normal = [value for value, label in zip(values, LABELS, strict=True) if label == 1]
        for kind, labels in ((ALL, {0, 2}), ("crack", {0}), ("scratch deep", {2})):
            faulty = [v for v, label in zip(values, LABELS, strict=True) if label in labels]
            name = f"test_{kind}_{method}".replace(" ", "_")
            auroc = metrics[f"{name}_auroc"]
            assert auroc.value == pytest.approx(naive_auroc(normal, faulty))
            assert auroc.interval is not None
            assert auroc.interval[0] <= auroc.value <= auroc.interval[1]
            if method != METHODS[0]:
                continue
            precision = metrics[f"{name}_average_precision"]
            assert precision.value == pytest.approx(naive_average_precision(normal, faulty))
            assert precision.interval is None


def test_figures_stand_in_one_table_a_row_a_kind() -> None:
    in_table = [metric for metric in measured(scores()).values() if metric.table == TABLE]
    rows = list(dict.fromkeys(metric.row for metric in in_table))
    assert rows == ["all kinds (4)", "crack (3)", "scratch deep (1)"]
    columns = list(dict.fromkeys(metric.column for metric in in_table))
    assert columns == ["AUROC, detector", "average precision, detector", "AUROC, nearest pixels"]
    assert len(in_table) == len(rows) * len(columns)
    assert all(metric.better == "higher" for metric in in_table)
    assert in_table[-1].protocol == {
        "method": METHODS[1],
        "normal_images": 6,
        "anomalous_images": 1,
        "base_rate": 0.1429,
        "split": "test split",
    }


def test_a_class_that_was_trained_on_is_no_kind_of_fault() -> None:
    assert not any("good" in metric.row for metric in measured(scores()).values())


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_the_shares_that_the_threshold_flags_are_counted(rate: float) -> None:
    found = scores(3)
    metrics = measured(found, rate)
    threshold = conformal_threshold(torch.linspace(-3, 3, 30), rate)
    flagged = [value > threshold for value in found.methods[METHODS[0]].tolist()]
    normal = [flag for flag, label in zip(flagged, LABELS, strict=True) if label == 1]
    faulty = [flag for flag, label in zip(flagged, LABELS, strict=True) if label != 1]
    alarms, detected = metrics["false_alarms"], metrics["detected"]
    assert alarms.value == sum(normal) / 6
    assert detected.value == sum(faulty) / 4
    assert (alarms.better, detected.better) == ("lower", "higher")
    assert alarms.title == f"Normal test images flagged at a promised rate of {rate:g}"
    assert alarms.row == detected.row == f"promised: at most {100 * rate:g} % of normal images"
    for metric, count in ((alarms, 6), (detected, 4)):
        assert metric.protocol["images"] == count
        assert metric.protocol["false_alarm_rate"] == rate
        assert metric.protocol["calibration_images"] == 30
        assert metric.interval is not None
        assert metric.interval[0] <= metric.value <= metric.interval[1]


@pytest.mark.parametrize(
    ("known", "own", "rates"),
    [(24, 0.04, [0.04]), (24, 0.05, [0.05]), (39, 0.025, [0.025, 0.05]), (99, 0.01, [0.01, 0.05])],
)
def test_rates_of_one_threshold_are_told_as_one(known: int, own: float, rates: list[float]) -> None:
    metrics = fault_metrics(scores(3), torch.linspace(-3, 1, known), own, protocol={})
    told = [metric.protocol["false_alarm_rate"] for metric in metrics if metric.table == FLAGGED]
    assert told == [rate for rate in rates for _ in ("normal", "anomalous")]


@pytest.mark.parametrize(
    ("known", "rates"), [(18, [0.2]), (19, [0.2, 0.05]), (99, [0.2, 0.01, 0.05])]
)
def test_the_usual_rates_are_told_where_they_can_be_promised(
    known: int, rates: list[float]
) -> None:
    found = scores(3)
    calibration = torch.linspace(-3, 1, known)
    metrics = fault_metrics(found, calibration, 0.2, protocol={"split": "test split"})
    told = [metric for metric in metrics if metric.table == FLAGGED]
    assert list(dict.fromkeys(metric.protocol["false_alarm_rate"] for metric in told)) == rates
    assert len({metric.name for metric in metrics}) == len(metrics)
    for rate in rates[1:]:
        (detected,) = [metric for metric in told if metric.name == f"detected_at_{rate:g}"]
        threshold = conformal_threshold(calibration, rate)
        faulty = found.methods[METHODS[0]][torch.tensor(LABELS) != 1]
        assert detected.value == float((faulty > threshold).double().mean())
