"""How the time of negatives grows with batch, resolution, tiles and members of a mixture, as SVG.

    python -m benchmarks --out results/benchmarks/all.json
    python analysis/growth_figure.py results/benchmarks/all.json --out docs/images/growth.svg

Both axes are logarithmic, so that a power is a straight line; its slope stands at the line's end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from nda.report.plots.svg import PALETTE, paper_style, to_svg

PANELS = {
    "batch": "samples in a batch, 3×32×32",
    "pixels of an image": "pixels of an image, batches of 16",
    "tiles": "tiles of a jigsaw, 16×3×64×64",
    "members of a mixture": "members of a mixture, 256×3×32×32",
}
COLOURS = dict(
    zip(("jigsaw", "stitch", "cutout", "cutmix", "mixup", "blemish"), PALETTE, strict=False)
)


def growth_figure(growth: Sequence[Mapping[str, Any]]) -> str:
    """A panel for each of `PANELS`, from the `growth` of the benchmarks' file."""
    with paper_style():
        figure = Figure(figsize=(8.4, 6.6), layout="constrained")
        for axes, (part, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
            of = [row for row in growth if row["with"] == part]
            for row in of:
                draw(axes, row)
            axes.set_title(title)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            sizes = of[0]["sizes"]
            axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
            axes.xaxis.set_minor_locator(NullLocator())
            # Powers of ten would be formulas, which stay as they are typed in text of an SVG.
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_ylabel("milliseconds")
            axes.grid(color="#e4e4e4", linewidth=0.5)
            axes.legend(fontsize=8, loc="lower right", title="slope", title_fontsize=8)
        return to_svg(figure)


def draw(axes: Axes, row: Mapping[str, Any]) -> None:
    """One line; what everything is compared with is grey."""
    name = row["name"]
    copy = name == "copy"
    axes.plot(
        row["sizes"],
        [1e3 * seconds for seconds in row["seconds"]],
        color="#888888" if copy else COLOURS.get(name, PALETTE[0]),
        linestyle="--" if copy else "-",
        marker="o",
        markersize=3,
        label=f"{row['slope']:.2f}  {name}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = json.loads(options.figures.read_text(encoding="utf-8"))
    options.out.write_text(growth_figure(found["negatives"]["growth"]) + "\n", encoding="utf-8")
    print(options.out)


if __name__ == "__main__":
    main()
