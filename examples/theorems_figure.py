"""The figure of docs/theorems.md, drawn from what theorems.py measured.

python examples/theorems_figure.py results/theorems/theorems.json --out theorems.svg
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nda.report.plots.svg import PALETTE, paper_style, to_svg

BLUE, ORANGE, GREEN = PALETTE[:3]  # data, generator, negatives: as in the reports
MARKERS = "os^Dv"
AGAINST = {"none": "no negatives", "own": "its own negative", "any": "any negative"}


def draw(results: dict[str, Any]) -> str:
    """The whole figure as SVG text."""
    with paper_style():
        figure = Figure(figsize=(8.6, 11.6), layout="constrained")
        halves = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.25, 1])
        top, bottom = halves[0, 0], halves[1, 0]
        top.suptitle("Theorem 1: generator and discriminator of an NDA-GAN", weight="bold")
        bottom.suptitle(
            "Theorem 2: representations of NDA-CPC (n1 is the negative of x1)", weight="bold"
        )
        (first, second), (third, fourth) = top.subplots(2, 2)
        _best_generators(first, results)
        _distance_by_overlap(second, results)
        _discriminators(third, results)
        _blind_losses(fourth, results)
        upper, lower = bottom.subplots(2, 3, height_ratios=[1.15, 1])
        for axes, kind in zip(upper, AGAINST, strict=True):
            _codes(axes, next(row for row in results["codes"] if row["against"] == kind))
        for axes, kind in zip(lower, AGAINST, strict=True):
            _circle(axes, next(row for row in results["vectors"] if row["against"] == kind))
        return to_svg(figure)


def _points(axes: Axes, results: dict[str, Any], title: str) -> tuple[Any, Any]:
    """Data and disjoint negatives as bars over the twelve points."""
    data, negatives = (np.array(results["space"][n]) for n in ("data", "negatives_outside"))
    places = np.arange(1, len(data) + 1)
    axes.bar(places, data, color=BLUE, alpha=0.35, label="data p")
    axes.bar(places, negatives, color=GREEN, alpha=0.35, label="negatives q")
    axes.set(title=title, xlabel="point", xticks=places, ylabel="probability")
    return places, data


def _best_generators(axes: Axes, results: dict[str, Any]) -> None:
    places, _ = _points(axes, results, "Disjoint negatives: the best generator is the data")
    for row, marker in zip(results["generator"]["rows"], MARKERS, strict=True):
        found = row["example_disjoint"]
        axes.plot(places, found, marker, color=ORANGE, markersize=5, markerfacecolor="none")
    axes.plot(
        [], [], "o", color=ORANGE, markerfacecolor="none", label="best g, 5 divergences, λ = 0.25"
    )
    axes.set_ylim(0, 0.5)
    axes.legend(loc="upper left", fontsize=9)


def _distance_by_overlap(axes: Axes, results: dict[str, Any]) -> None:
    overlaps = results["space"]["overlaps"]
    for i, weight in enumerate(results["space"]["weights"]):
        line = axes.plot(overlaps, results["generator"]["closed_form"][i], color=PALETTE[i])[0]
        axes.text(
            1.02,
            results["generator"]["closed_form"][i][-1],
            f"λ = {weight}",
            va="center",
            color=line.get_color(),
        )
        for row, marker in zip(results["generator"]["rows"], MARKERS, strict=True):
            axes.plot(
                overlaps,
                row["distance"][i],
                marker,
                color=PALETTE[i],
                markersize=4,
                markerfacecolor="none",
                lw=0,
            )
    for row, marker in zip(results["generator"]["rows"], MARKERS, strict=True):
        axes.plot([], [], marker, color="#555555", markerfacecolor="none", label=row["divergence"])
    axes.plot([], [], color="#555555", label="closed form")
    axes.set(
        title="Overlapping negatives: it is not",
        xlabel="share of the negatives that could be data",
        ylabel="total variation, best g to data",
        ylim=(-0.02, 1.0),
        xlim=(-0.02, 1.22),
        xticks=[0, 0.25, 0.5, 0.75, 1],
    )
    axes.legend(loc="upper left", fontsize=8, ncols=2, columnspacing=1)


def _discriminators(axes: Axes, results: dict[str, Any]) -> None:
    rows = [row for row in results["discriminator"] if row["generator"] == "g = p"]
    for weight, colour, name in ((1.0, "#555555", "plain GAN"), (0.25, ORANGE, "λ = 0.25")):
        row = next(row for row in rows if row["weight"] == weight)
        places = np.arange(1, len(row["logits"]) + 1)
        predicted = np.array([math.nan if x is None else x for x in row["predicted"]])
        trained = 1 / (1 + np.exp(-np.array(row["logits"])))
        axes.plot(
            places,
            predicted,
            "_",
            color=colour,
            markersize=15,
            markeredgewidth=2,
            label=f"{name}: predicted",
        )
        seen = ~np.isnan(predicted)
        axes.plot(
            places[seen], trained[seen], "o", color=colour, markersize=5, label=f"{name}: trained"
        )
        axes.plot(places[~seen], trained[~seen], "x", color=colour, markersize=5)
    axes.plot([], [], "x", color="#888888", label="no sample ever: as it started")
    axes.axvspan(0.5, 6.5, color=BLUE, alpha=0.08, lw=0)
    axes.axvspan(8.5, 12.5, color=GREEN, alpha=0.08, lw=0)
    axes.text(3.5, -0.16, "data", ha="center", color=BLUE)
    axes.text(10.5, -0.16, "negatives", ha="center", color=GREEN)
    axes.set(title="Best discriminator at g = p (nda.logistic_d)", xlabel="point",
             ylabel="D(x)", xticks=places, ylim=(-0.22, 1.72), yticks=[0, 0.5, 0.8, 1])  # fmt: skip
    axes.legend(loc="upper left", fontsize=8.5, ncols=2, columnspacing=1)


def _blind_losses(axes: Axes, results: dict[str, Any]) -> None:
    weight = results["losses"]["weight"]
    places, data = _points(axes, results, "Losses it does not cover, λ = 0.25")
    peak = np.where(data == data.max(), 1.0, 0.0)
    edges, cap = np.r_[places - 0.5, places[-1] + 0.5], np.r_[data, data[-1]] / weight
    axes.step(edges, cap, where="post", color="#555555", lw=1, ls=":")
    axes.plot(places[peak > 0], peak[peak > 0], "*", color=ORANGE, markersize=11)
    axes.plot(places, results["wasserstein"]["g"], "s", color=PALETTE[3], markerfacecolor="none")
    axes.plot(
        [], [], color="#555555", lw=1, ls=":", label="p / λ: to the hinge, any g below is best"
    )
    axes.plot([], [], "*", color=ORANGE, markersize=11, label="such a g: one point only")
    axes.plot([], [], "s", color=PALETTE[3], markerfacecolor="none", label="Wasserstein: a best g")
    axes.set_ylim(0, 2.15)
    axes.legend(loc="upper right", fontsize=8.5)


def _codes(axes: Axes, row: dict[str, Any]) -> None:
    table = np.array(row["data_codes"] + row["negative_codes"])
    axes.imshow(table, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    points = len(row["data_codes"])
    axes.axhline(points - 0.5, color=ORANGE, lw=1.2)
    names = [f"x{i}" for i in range(1, points + 1)] + [f"n{i}" for i in range(1, points + 1)]
    axes.set(
        title=f"Codes: {AGAINST[row['against']]}\nlargest overlap {row['overlap_best']:.2f}",
        yticks=range(2 * points),
        yticklabels=names,
        xticks=[],
        xlabel="code z",
    )
    for label, i in zip(axes.get_yticklabels(), range(2 * points), strict=True):
        label.set_color(BLUE if i < points else GREEN)


def _circle(axes: Axes, row: dict[str, Any]) -> None:
    turn = np.linspace(0, 2 * math.pi, 200)
    axes.plot(np.cos(turn), np.sin(turn), color="#bbbbbb", lw=0.8)
    data, negatives = np.array(row["vectors"]), np.array(row["negatives"])
    axes.plot(*data.T, "o", color=BLUE, markersize=9)
    axes.plot(
        *negatives.T, "D", color=GREEN, markersize=10, markerfacecolor="none", markeredgewidth=1.5
    )
    for i, (x, y) in enumerate(1.26 * data, 1):
        axes.text(x, y, f"x{i}", color=BLUE, ha="center", va="center")
    named: dict[tuple[float, float], list[str]] = {}  # negatives at one place share a label
    for i, negative in enumerate(negatives, 1):
        near = next((at for at in named if np.hypot(*(negative - at)) < 0.2), None)
        named.setdefault(near or (negative[0], negative[1]), []).append(f"n{i}")
    for (x, y), names in named.items():
        axes.text(0.7 * x, 0.7 * y, " ".join(names), color=GREEN, ha="center", va="center")
    axes.set(aspect="equal", xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), xticks=[], yticks=[])
    axes.set_title(
        f"Unit vectors: {AGAINST[row['against']]}\nlargest cosine {row['cosine_any']:.2f}"
    )
    for side in axes.spines.values():
        side.set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.write_text(draw(json.loads(options.results.read_text())))


if __name__ == "__main__":
    main()
