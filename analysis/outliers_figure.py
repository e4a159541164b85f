"""AUROC of each set of outliers: every run of the discriminator, beside the baselines.

python analysis/outliers_figure.py results/outliers/cpu-cifar10.json --out
results/outliers/auroc.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nda.report.plots.svg import PALETTE, paper_style, to_svg

ARMS = {"none": "discriminator without NDA", "jigsaw": "discriminator with jigsaw"}
BASELINES = {"msp": ("MSP", "x"), "energy": ("energy", "+"), "knn": ("kNN", "d")}
TITLES = {
    "digits": "digits",
    "textures": "textures",
    "scenes": "scenes",
    "tiny_imagenet": "Tiny-ImageNet",
    "cifar100": "CIFAR-100",
    "corrupted_mean_5": "corruptions,\nseverity 5",
    "cifar10_lossless": "CIFAR-10, lossless\n(in distribution)",
}


def draw(auroc: dict[str, Any]) -> str:
    """A column a set, a mark a run or baseline, as SVG text."""
    sets = [name for name in TITLES if name in auroc]
    with paper_style():
        figure = Figure(figsize=(8.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0.5, color="0.6", linewidth=0.8, linestyle="--")
        for (arm, label), colour, shift in zip(ARMS.items(), PALETTE, (-0.2, 0.0), strict=False):
            points = [
                (column + shift, value)
                for column, name in enumerate(sets)
                for value in auroc[name]["arms"][arm]["by_seed"].values()
            ]
            axes.plot(*zip(*points, strict=True), "o", color=colour, label=label, markersize=4)
        for name, (label, marker) in BASELINES.items():
            at = [c for c, each in enumerate(sets) if name in auroc[each]["baselines"]]
            values = [auroc[sets[column]]["baselines"][name] for column in at]
            axes.plot([c + 0.2 for c in at], values, marker, color="0.25", label=label)
        axes.set(ylabel="AUROC", xticks=range(len(sets)))
        axes.set_xticklabels([TITLES[name] for name in sets])
        figure.legend(loc="outside upper center", ncols=5)
        return to_svg(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.write_text(draw(json.loads(options.figures.read_text())["auroc"]))
    print(options.out)


if __name__ == "__main__":
    main()
