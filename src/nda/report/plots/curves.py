"""The figures of a report. Each function returns SVG text that could also go into a paper."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator

from nda.evaluation.record import Histogram
from nda.report.plots.svg import PALETTE, WIDTH, paper_style, to_svg

LineStyle = Literal["-", "--", "-.", ":"]
LogRows = Sequence[Mapping[str, float]]

MOST_POINTS = 100  # of a curve: more are not seen at the width of a page
_ZERO: dict[str, Any] = {"color": "#555555", "lw": 0.6, "ls": (0, (4, 3))}  # its line
_STYLES: tuple[LineStyle, ...] = ("-", "--", "-.", ":")

# One colour for one role throughout a page.
_ROLES = {"real": PALETTE[0], "generated": PALETTE[1], "negative": PALETTE[2]}


@dataclass(frozen=True)
class Curve:
    """Values over steps. Curves with the same label share a colour and a place in the legend."""

    label: str
    steps: Sequence[float]
    values: Sequence[float]
    low: Sequence[float] | None = None  # a band around the values
    high: Sequence[float] | None = None


def curve_from_log(rows: LogRows, name: str, label: str, *, band: bool = True) -> Curve:
    """The finite values of `name`, averaged over neighbouring rows where there are too many.

    The band goes from the smallest to the largest value of the rows that a point stands for.
    """
    found = [(row["step"], row[name]) for row in rows if math.isfinite(row.get(name, math.nan))]
    if len(found) <= MOST_POINTS:
        return Curve(label, [step for step, _ in found], [value for _, value in found])
    parts = np.array_split(np.array(found), MOST_POINTS)
    return Curve(
        label,
        steps=[float(part[:, 0].mean()) for part in parts],
        values=[float(part[:, 1].mean()) for part in parts],
        low=[float(part[:, 1].min()) for part in parts] if band else None,
        high=[float(part[:, 1].max()) for part in parts] if band else None,
    )


def curve_figure(
    curves: Sequence[Curve],
    y_label: str,
    *,
    labels: Sequence[str] | None = None,
    markers: bool = False,
    from_zero: bool = False,
) -> str:
    """Curves over training steps in one set of axes.

    Args:
        curves: what to draw; a figure of one curve with an empty label has no legend.
        y_label: the quantity and its unit.
        labels: all labels of a page, so that each has one colour in all of its figures.
        markers: whether the single points are shown.
        from_zero: whether the vertical axis begins at zero.
    """
    with paper_style():
        figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
        axes = figure.subplots()
        every_look = _looks(labels or [curve.label for curve in curves])
        looks = {curve.label: every_look[curve.label] for curve in curves}
        for curve in curves:
            _draw_curve(axes, curve, looks[curve.label], markers)
        axes.set_xlabel("training step")
        axes.set_ylabel(textwrap.fill(y_label, 26))
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.5)
        if from_zero:
            axes.set_ylim(bottom=0)
        if any(looks):
            handles = [Line2D([], [], color=c, linestyle=s) for c, s in looks.values()]
            _legend(figure, handles, list(looks))
        return to_svg(figure)


def histogram_figure(panels: Sequence[tuple[str, Histogram]]) -> str:
    """One panel a run, above each other along one horizontal axis, so that places compare.

    Heights are densities: runs need not have the same bins.

    Args:
        panels: title (empty for none) and histogram; name, axis and protocol must be the same.
    """
    with paper_style():
        looks = _looks(_in_order(label for _, histogram in panels for label in histogram.series))
        handles: dict[str, Line2D | Patch] = {
            label: Patch(facecolor=c + "40", edgecolor=c, ls=s, lw=1.2)
            for label, (c, s) in looks.items()
        }
        if any(_holds_zero(histogram) for _, histogram in panels):
            handles["zero"] = Line2D([], [], **_ZERO)
        above = 0.9 + 0.2 * math.ceil(len(handles) / _columns(list(handles)))  # the legend
        figure = Figure(figsize=(WIDTH, above + 1.5 * len(panels)), layout="constrained")
        column = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, histogram) in zip(column, panels, strict=True):
            _draw_histogram(axes, histogram, looks)
            axes.set_title(_short(title))
        column[-1].set_xlabel(panels[0][1].axis)
        figure.supylabel("density of samples", fontsize=10, color="#222222")
        _legend(figure, list(handles.values()), list(handles))
        return to_svg(figure)


def _draw_curve(axes: Axes, curve: Curve, look: tuple[str, LineStyle], markers: bool) -> None:
    colour, line_style = look
    axes.plot(
        curve.steps,
        curve.values,
        line_style,
        color=colour,
        marker="o" if markers or len(curve.steps) == 1 else None,
        markersize=4,
    )
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.2, lw=0)


def _draw_histogram(
    axes: Axes, histogram: Histogram, looks: Mapping[str, tuple[str, LineStyle]]
) -> None:
    edges = np.array(histogram.edges)
    for label, counts in histogram.series.items():
        colour, line_style = looks[label]
        total = max(sum(counts), 1)  # an empty series stays at zero
        density = np.array(counts) / total / np.diff(edges)
        axes.stairs(density, edges, fill=True, color=colour, alpha=0.25, lw=0)
        axes.stairs(density, edges, color=colour, ls=line_style, lw=1.2)
    if _holds_zero(histogram):
        axes.axvline(0, **_ZERO, zorder=0)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _holds_zero(histogram: Histogram) -> bool:
    """Whether zero lies within, where a line is drawn."""
    return histogram.edges[0] < 0 < histogram.edges[-1]


def _looks(labels: Iterable[str]) -> dict[str, tuple[str, LineStyle]]:
    """Colour and line style of each label: roles keep theirs, the others take what is free."""
    distinct = _in_order(labels)
    taken = {_ROLES[label] for label in distinct if label in _ROLES}
    free = [colour for colour in PALETTE if colour not in taken]
    looks: dict[str, tuple[str, LineStyle]] = {}
    others = 0
    for label in distinct:
        if label in _ROLES:
            looks[label] = (_ROLES[label], "-")
        else:
            style = _STYLES[others // len(free) % len(_STYLES)]
            looks[label] = (free[others % len(free)], style)
            others += 1
    return looks


def _in_order(labels: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(labels))


def _legend(figure: Figure, handles: Sequence[Line2D | Patch], labels: Sequence[str]) -> None:
    """A legend above the axes, as many columns as fit."""
    # Matplotlib drops labels that begin with an underscore; a space of no width keeps them.
    shown = ["\u200b" + label if label.startswith("_") else label for label in map(_short, labels)]
    figure.legend(handles, shown, loc="outside upper left", ncols=_columns(shown))


def _columns(labels: Sequence[str]) -> int:
    """How many columns of a legend fit into the width of a figure."""
    longest = max((len(_short(label)) for label in labels), default=0)
    fitting = 48 // (longest + 5)  # a line and two gaps are as wide as 5 letters
    return max(1, min(len(labels), fitting))


def _short(label: str) -> str:
    """A label that fits into the width of a figure; both ends of a long one remain."""
    return label if len(label) <= 42 else f"{label[:20]}…{label[-21:]}"
