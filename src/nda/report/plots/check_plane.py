"""The plane in which negatives lie: what the local probe tells, and what the global one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nda.evaluation.validity.paired_auroc import PairedAurocs
from nda.evaluation.validity.verdict import GIVEN_AWAY, LEAD, SEPARATES, VERDICTS, Verdict
from nda.report.plots.svg import PALETTE, WIDTH, paper_style, to_svg

COLOURS: dict[Verdict, str] = {
    "informative": PALETTE[2],
    "too easy": PALETTE[1],
    "overlaps the data": PALETTE[0],
    "undecided": "#666666",
}
_MARKS: dict[Verdict, str] = {
    "informative": "o",
    "too easy": "s",
    "overlaps the data": "^",
    "undecided": "D",
}
_LEAST = 0.45  # AUROC at the edge, below that of guessing
_ROW = 0.038  # height of a line of text, as a share of the axes


@dataclass(frozen=True)
class PlacedNegative:
    """A negative with its place."""

    title: str
    found: PairedAurocs
    verdict: Verdict


def plane_figure(negatives: Sequence[PlacedNegative]) -> str:
    """SVG text: local AUROC across, global AUROC up, with intervals and regions of the verdicts.

    Names stand in a column on the right, in the order of the global AUROC, each tied to its point:
    points lie too close to each other for names beside them.
    """
    with paper_style():
        figure = Figure(figsize=(WIDTH * 1.25, WIDTH), layout="constrained")
        axes = figure.subplots()
        _draw_regions(axes)
        for negative in negatives:
            _draw(axes, negative)
        _name(axes, negatives)
        low = min([_LEAST, *(min(n.found.first.low, n.found.second.low) for n in negatives)])
        axes.set_xlim(low, 1.005)
        axes.set_ylim(low, 1.005)
        axes.set_xlabel("AUROC of the local probe")
        axes.set_ylabel("AUROC of the global probe")
        present = [verdict for verdict in VERDICTS if any(n.verdict == verdict for n in negatives)]
        handles = [
            Line2D([], [], color=COLOURS[v], marker=_MARKS[v], linestyle="", markersize=6)
            for v in present
        ]
        figure.legend(handles, list(present), loc="outside upper left", ncols=2)
        return to_svg(figure)


def _draw_regions(axes: Axes) -> None:
    """Where a negative is informative, too easy, or overlaps, as far as values alone decide."""
    local = np.linspace(0, GIVEN_AWAY, 100)
    lead = np.maximum(local + LEAD * (1 - local), SEPARATES)
    colour = COLOURS["informative"]
    axes.fill_between(local, lead, 1, color=colour, alpha=0.1, lw=0)
    axes.fill_between(
        [SEPARATES, *local[local >= SEPARATES], 1],
        [SEPARATES + LEAD * (1 - SEPARATES), *lead[local >= SEPARATES], 1],
        0,
        color=COLOURS["too easy"],
        alpha=0.1,
        lw=0,
    )
    axes.fill_between(
        [0, SEPARATES], 0, SEPARATES, color=COLOURS["overlaps the data"], alpha=0.1, lw=0
    )
    axes.plot([0, 1], [0, 1], color="#888888", lw=0.6, ls=(0, (4, 3)))


def _draw(axes: Axes, negative: PlacedNegative) -> None:
    whole, local = negative.found.first, negative.found.second
    axes.errorbar(
        local.value,
        whole.value,
        xerr=[[max(local.value - local.low, 0)], [max(local.high - local.value, 0)]],
        yerr=[[max(whole.value - whole.low, 0)], [max(whole.high - whole.value, 0)]],
        fmt=_MARKS[negative.verdict],
        color=COLOURS[negative.verdict],
        markersize=6,
        elinewidth=0.8,
    )


def _name(axes: Axes, negatives: Sequence[PlacedNegative]) -> None:
    """Names right of the axes, at the height of their points where there is room."""
    order = sorted(negatives, key=lambda n: -n.found.first.value)
    heights: list[float] = []
    for negative in order:
        wanted = (negative.found.first.value - _LEAST) / (1.005 - _LEAST)
        heights.append(min([wanted, *(h - 1.5 * _ROW for h in heights[-1:])]))
    if heights and heights[-1] < 0:  # no room below: up they go together
        heights = [height - heights[-1] for height in heights]
    for negative, height in zip(order, heights, strict=True):
        axes.annotate(
            negative.title,
            (negative.found.second.value, negative.found.first.value),
            (1.04, height),
            textcoords="axes fraction",
            fontsize=9,
            color=COLOURS[negative.verdict],
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": "#999999",
                "lw": 0.5,
                "shrinkA": 1,
                "shrinkB": 4,
            },
        )
