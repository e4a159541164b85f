"""The ROC and precision-recall curves of scores, with a dot at the threshold that was taken."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from nda.evaluation.outliers.tradeoff import Tradeoff
from nda.report.plots.svg import PALETTE, WIDTH, paper_style, to_svg
from nda.report.telling import Flagged

HEIGHT = 4.0  # inches
# Where the axes lie in the figure, so that the page's script can move the dot on them.
LEFT, BOTTOM, ACROSS, UP = 0.13, 0.13, 0.82, 0.82
POINTS = 72  # of SVG an inch
MOST = 1000  # points of a curve


def roc_figure(curve: Tradeoff, at: Flagged) -> str:
    """SVG text: share of normal images flagged across, of anomalous ones found up."""
    start = torch.zeros(1, dtype=torch.float64)
    across = torch.cat([start, curve.false_alarms])
    up = torch.cat([start, curve.recall])
    labels = "normal images flagged (false alarms)", "anomalous images found (recall)"
    return _figure(across, up, labels, guessing=([0, 1], [0, 1]), marks=(0, 1), at=at)


def precision_recall_figure(curve: Tradeoff, at: Flagged) -> str:
    """SVG text: share of anomalous images found across, of what is flagged that is so up.

    Drawn in steps, whose area is the average precision.
    """
    recall, precision = curve.recall, curve.precision
    across = torch.cat([recall.new_zeros(1), recall]).repeat_interleave(2)[1:-1]
    up = precision.repeat_interleave(2)
    labels = "anomalous images found (recall)", "of what is flagged, anomalous (precision)"
    share = float(precision[-1])
    return _figure(across, up, labels, guessing=([0, 1], [share, share]), marks=(1, 2), at=at)


def _figure(
    across: Tensor,
    up: Tensor,
    labels: tuple[str, str],
    *,
    guessing: tuple[Sequence[float], Sequence[float]],
    marks: tuple[int, int],
    at: Flagged,
) -> str:
    """`marks` say which of `Flagged.marks` is the dot's place across, and which up."""
    kept = torch.linspace(0, len(across) - 1, min(MOST, len(across))).long()
    with paper_style():
        figure = Figure(figsize=(WIDTH, HEIGHT))
        axes = figure.add_axes((LEFT, BOTTOM, ACROSS, UP))
        axes.plot(*guessing, color="#888888", lw=0.8, ls=(0, (4, 3)))
        axes.plot(across[kept], up[kept], color=PALETTE[0])
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.grid(color="#e4e4e4", linewidth=0.5)
        return _with_dot(to_svg(figure), marks, at)


def _with_dot(svg: str, marks: tuple[int, int], at: Flagged) -> str:
    """The figure with a circle that tells a script where the axes begin and how long they are."""
    left, across = LEFT * WIDTH * POINTS, ACROSS * WIDTH * POINTS
    foot, up = (1 - BOTTOM) * HEIGHT * POINTS, -UP / 1.02 * HEIGHT * POINTS
    x, y = (at.marks[mark] for mark in marks)
    place = f"{marks[0]} {left:.2f} {across:.2f} {marks[1]} {foot:.2f} {up:.2f}"
    dot = (
        f'<circle class="dot" cx="{left + across * x:.2f}" cy="{foot + up * y:.2f}" r="5" '
        f'data-place="{place}" style="fill: {PALETTE[1].lower()}; stroke: #ffffff"/>'
    )
    return svg.removesuffix("</svg>") + dot + "</svg>"
