"""Figures kind by kind against naive ones, and pixels counted against ranks."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.data.images.defects import Defects
from nda.evaluation.outliers.conformal import conformal_threshold
from nda.evaluation.outliers.faults import (
    ALL,
    FaultScores,
    fault_metrics,
    pixel_auroc,
    pixel_metrics,
)
from nda.evaluation.record import Metric

KINDS = ("crack", "good", "scratch deep")
LABELS = [1, 0, 2, 1, 0, 1, 1, 0, 1, 1]
TABLE = "Anomalous images against normal ones, by kind of fault"
METHODS = ("detector", "nearest pixels")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def invented(masks: Tensor | None = None) -> Defects:
    """Ten test images: six good ones, three cracks, a scratch."""
    labels = torch.tensor(LABELS)
    images = torch.zeros(10, 3, 16, 16, dtype=torch.uint8)
    return Defects(images, labels, KINDS, labels == 1, masks)


def invented_masks() -> Tensor:
    masks = torch.zeros(10, 16, 16, dtype=torch.bool)
    for index, label in enumerate(LABELS):
        if label != 1:
            masks[index, index : index + 4, 2:9] = True
    return masks


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
    in_table = [metric for metric in measured(scores()).values() if metric.table]
    assert {metric.table for metric in in_table} == {TABLE}
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
    assert alarms.title == f"Normal test images flagged (promised: {rate:g})"
    for metric, count in ((alarms, 6), (detected, 4)):
        assert metric.protocol["images"] == count
        assert metric.protocol["false_alarm_rate"] == rate
        assert metric.protocol["calibration_images"] == 30
        assert metric.interval is not None
        assert metric.interval[0] <= metric.value <= metric.interval[1]


# --- pixels


def exact_auroc(maps: Tensor, masks: Tensor) -> float:
    """By the ranks of all pixels (Mann-Whitney), ties at their mean rank."""
    size = list(masks.shape[-2:])
    heat = F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)
    values, truth = heat.flatten().double(), masks.flatten()
    levels, place, counts = values.unique(return_inverse=True, return_counts=True)
    assert len(levels) > 1
    mean_rank = (counts.cumsum(0) - counts + (counts + 1) / 2)[place]
    faulty, normal = int(truth.sum()), int((~truth).sum())
    return float((mean_rank[truth].sum() - faulty * (faulty + 1) / 2) / (faulty * normal))


@settings(deadline=None, max_examples=30)
@given(
    count=st.integers(1, 4),
    side=st.integers(2, 6),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    shift=st.floats(-2, 2),
    seed=st.integers(0, 2**31),
)
def test_pixels_counted_by_level_agree_with_their_ranks(
    count: int, side: int, scale: float, shift: float, seed: int
) -> None:
    draws = seeded(seed)
    maps = torch.randn(count, side, side, generator=draws)
    masks = torch.rand(count, 4 * side, 4 * side, generator=draws) < 0.2
    masks[0, 0, 0], masks[0, 0, 1] = True, False
    found = pixel_auroc(scale * (maps + shift), masks)
    heat = F.interpolate(maps[:, None].double(), masks.shape[-2:], mode="bilinear")[:, 0]
    apart = (heat[masks][:, None] - heat[~masks]).abs()  # every faulty pixel and every normal one
    step = float(maps.max() - maps.min()) / 4095
    within_a_step = float((apart < 1.01 * step).double().mean())
    # Pairs that are closer than a step may change places; all others may not.
    assert abs(found - exact_auroc(maps, masks)) <= within_a_step + 1e-6


def test_levels_are_as_fine_as_is_said() -> None:
    """Values that lie a 4000th of the range apart are told apart, and much closer ones are not."""
    base = torch.zeros(1, 2, 2)
    base[0, 1, 1] = 1
    mask = torch.zeros(1, 2, 2, dtype=torch.bool)
    mask[0, 0, 0] = True
    apart, close = base.clone(), base.clone()
    apart[0, 0, 0], close[0, 0, 0] = 1 / 4000, 1 / 100_000
    # Above two of the three normal pixels, below one; or level with the two.
    assert pixel_auroc(apart, mask) == pytest.approx(2 / 3)
    assert pixel_auroc(close, mask) == pytest.approx(1 / 3)


def test_perfect_reversed_and_constant_maps() -> None:
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[1, 2:5, 3:6] = True
    assert pixel_auroc(masks.float(), masks) == 1
    assert pixel_auroc(-masks.float(), masks) == 0
    assert pixel_auroc(torch.full((3, 8, 8), 1.7), masks) == 0.5


def test_more_images_than_are_counted_at_once() -> None:
    draws = seeded()
    maps, masks = torch.randn(130, 3, 3, generator=draws), torch.rand(130, 6, 6, generator=draws)
    assert pixel_auroc(maps, masks < 0.3) == pytest.approx(exact_auroc(maps, masks < 0.3), abs=1e-4)


def test_pixels_are_measured_kind_by_kind_with_the_normal_images() -> None:
    masks, maps = invented_masks(), torch.randn(10, 4, 4, generator=seeded(1))
    metrics = pixel_metrics(maps, invented(masks), {"split": "test split"})
    assert [metric.name for metric in metrics] == [
        "test_all_kinds_pixel_auroc",
        "test_crack_pixel_auroc",
        "test_scratch_deep_pixel_auroc",
    ]
    for metric, labels in zip(metrics, ({0, 1, 2}, {0, 1}, {1, 2}), strict=True):
        rows = torch.tensor([label in labels for label in LABELS])
        assert metric.value == pytest.approx(exact_auroc(maps[rows], masks[rows]), abs=1e-3)
        assert (metric.table, metric.column) == (TABLE, "pixel AUROC, detector")
        assert metric.protocol["split"] == "test split"
    rows_of_images = list(dict.fromkeys(m.row for m in measured(scores()).values() if m.table))
    assert [metric.row for metric in metrics] == rows_of_images  # so that one table has both


def test_images_whose_fault_is_not_marked_are_left_out() -> None:
    masks, maps = invented_masks(), torch.randn(10, 4, 4, generator=seeded(1))
    masks[2] = masks[4] = False  # the only scratch, and one of three cracks
    metrics = pixel_metrics(maps, invented(masks), {})
    assert [metric.row for metric in metrics] == ["all kinds (4)", "crack (3)"]
    rows = torch.tensor([index not in (2, 4) for index in range(10)])
    exact = exact_auroc(maps[rows], masks[rows])
    for metric in metrics:
        assert metric.value == pytest.approx(exact, abs=1e-3)
        assert math.isfinite(metric.value)


def test_without_masks_no_pixels_are_measured() -> None:
    assert pixel_metrics(torch.zeros(10, 4, 4), invented(), {}) == []
