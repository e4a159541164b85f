"""The curves that are drawn, and where the dot lies on them."""

from __future__ import annotations

import re

import pytest
import torch

from nda.evaluation.outliers.tradeoff import tradeoff
from nda.report.plots.tradeoff import MOST, precision_recall_figure, roc_figure
from nda.report.telling import Flagged
from tests.report.plots.test_curves import texts

AT = Flagged(3, 4, 1, 5)
CURVE = tradeoff(torch.tensor([1.0, 2, 3, 4, 5]), torch.tensor([4.5, 6, 7, 2.5]))


def vertices(svg: str) -> list[tuple[float, float]]:
    """Places of the curve, which is the path of the most points."""
    paths = re.findall(r'<path d="([^"]*)"', svg)
    points = [re.findall(r"[ML] ([\d.]+) ([\d.]+)", path) for path in paths]
    return [(float(x), float(y)) for x, y in max(points, key=len)]


@pytest.mark.parametrize("figure", [roc_figure, precision_recall_figure])
def test_the_dot_lies_on_the_curve(figure: object) -> None:
    assert callable(figure)
    svg = figure(CURVE, AT)
    dot = re.search(r'cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert dot is not None
    x, y = map(float, dot.groups())
    nearest = min(abs(x - a) + abs(y - b) for a, b in vertices(svg))
    assert nearest < 0.1


def test_axes_are_named_and_guessing_is_drawn() -> None:
    assert "anomalous images found (recall)" in texts(roc_figure(CURVE, AT))
    assert "of what is flagged, anomalous (precision)" in texts(precision_recall_figure(CURVE, AT))


def test_curves_of_many_images_stay_small() -> None:
    rng = torch.Generator().manual_seed(0)
    some, others = torch.randn(2, 20_000, generator=rng)
    at = Flagged(1, 20_000, 1, 20_000)
    for figure in (roc_figure, precision_recall_figure):
        assert len(figure(tradeoff(some, others + 1), at)) < 60 * MOST
