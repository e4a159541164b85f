"""The curves against counting at every threshold, and their areas against the figures."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.tradeoff import tradeoff

SCORES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=20).map(torch.tensor)


@given(SCORES, SCORES)
def test_every_threshold_is_counted(inliers: torch.Tensor, outliers: torch.Tensor) -> None:
    curve = tradeoff(inliers, outliers)
    assert curve.thresholds.tolist() == sorted({*inliers.tolist(), *outliers.tolist()})[::-1]
    for place, threshold in enumerate(curve.thresholds):
        assert curve.false[place] == (inliers >= threshold).sum()
        assert curve.found[place] == (outliers >= threshold).sum()


@given(SCORES, SCORES)
def test_areas_are_the_figures(inliers: torch.Tensor, outliers: torch.Tensor) -> None:
    curve, figures = tradeoff(inliers, outliers), measure_outliers(inliers, outliers)
    start = torch.zeros(1, dtype=torch.float64)
    recall = torch.cat([start, curve.recall])
    area = torch.trapezoid(recall, torch.cat([start, curve.false_alarms]))
    assert float(area) == pytest.approx(figures.auroc)
    steps = float((recall.diff() * curve.precision).sum())
    assert steps == pytest.approx(figures.average_precision)
