"""Figures of counts against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from nda.evaluation.counting.dots import DotDiversity
from nda.evaluation.counting.metrics import (
    count_histogram,
    count_metrics,
    nearest_metrics,
    variety_metrics,
)
from nda.evaluation.intervals import wilson_interval

COUNTS = {"generated": torch.tensor([4, 6, 6, 8]), "real": torch.tensor([6, 6, 6])}


def test_share_exact_mean_and_deviation() -> None:
    metrics = {metric.name: metric for metric in count_metrics(COUNTS, 6, {"split": "test"})}
    assert metrics["generated_exact"].value == 0.5
    assert metrics["generated_exact"].interval == list(wilson_interval(2, 4))
    assert metrics["generated_mean_count"].value == 6.0
    assert metrics["generated_count_deviation"].value == pytest.approx((8 / 3) ** 0.5)
    assert metrics["real_exact"].value == 1.0
    assert metrics["real_count_deviation"].value == 0.0
    assert len({(metric.row, metric.column) for metric in metrics.values()}) == len(metrics) == 6
    assert all(metric.protocol == {"split": "test"} for metric in metrics.values())


def test_the_histogram_has_a_bin_a_count() -> None:
    histogram = count_histogram(COUNTS, 6, {})
    assert histogram.series["generated"] == [0, 0, 0, 0, 1, 0, 2, 0, 1]
    assert histogram.series["real"] == [0, 0, 0, 0, 0, 0, 3, 0, 0]
    assert histogram.edges == [number - 0.5 for number in range(10)]


def test_variety_has_a_figure_a_field() -> None:
    variety = {"generated": DotDiversity(1.0, 2.0, 3.0, 4.0), "real": DotDiversity(5, 6, 7, 8)}
    metrics = {metric.name: metric.value for metric in variety_metrics(variety, {})}
    assert metrics == {
        "generated_hue_entropy": 1.0,
        "generated_saturation": 2.0,
        "generated_brightness": 3.0,
        "generated_position_entropy": 4.0,
        "real_hue_entropy": 5,
        "real_saturation": 6,
        "real_brightness": 7,
        "real_position_entropy": 8,
    }


def test_copies_are_nearer_than_real_images() -> None:
    rng = torch.Generator().manual_seed(0)
    training, real = torch.randint(256, (2, 20, 3, 4, 4), generator=rng).to(torch.uint8)
    images = {"generated": training[:11], "real": real}
    metrics = {m.name: m for m in nearest_metrics(images, training, {"split": "test"})}
    assert metrics["generated_nearest_median"].value == 0.0
    assert 0 < metrics["real_nearest_tenth"].value < metrics["real_nearest_median"].value < 1
    assert metrics["generated_nearest_median"].protocol["generated_images_searched_for"] == 11
