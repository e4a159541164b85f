"""What ways of training on negatives teach, and what they cost: a row a run, and a figure.

    for run in runs/matrix/*; do
      nda probe $run cifar10.zip --count 1000 --json $run/probe.json
    done
    python analysis/structure_matrix.py runs/matrix/* --out results/gan/matrix.json \\
        --figure docs/images/structure-or-images.svg

Of each run: the distance of its images, and of the output that was shown negatives (a head or a
class of its own, else the discriminator) the shortcut audit's figures. In the figure the seeds of
an arm are averaged.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collect import arm
from matplotlib.figure import Figure

from nda.report.plots.svg import PALETTE, paper_style, to_svg
from nda.training.run_folder import RunFolder

DISTANCE = "classifier_frechet"
NULLS = "nulls_above"
PLAIN = "none"
# Of the audit: what is held against images, and what the row calls the share of images above it.
COMPARED = {
    "jigsaw": "above_jigsaw",
    "rolled by 5 rows": "above_rolled_5",
    "upside down": "above_upside_down",
}


def row(folder: Path) -> dict[str, Any]:
    """The figures of one run that was probed into `probe.json`."""
    run = RunFolder.open(folder)
    config = run.config()
    metrics = {each["name"]: each for each in run.evaluations()[-1]["metrics"]}
    distance = metrics[DISTANCE]
    probe = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
    audit = probe["audits"][-1]  # the one of a head or class comes after the discriminator's
    compared = audit["compared"]
    return {
        "arm": arm(config),
        "seed": config["seed"],
        DISTANCE: distance["value"],
        "classifier": distance["protocol"]["classifier"],
        "output": audit["output"],
        "images": audit["images"],
        "gap_jigsaw": compared["jigsaw"]["gap"],
        **{name: compared[title]["above"] for title, name in COMPARED.items()},
        "structure_share": audit["structure_share"],
        "structure_interval": audit["structure_interval"],
        NULLS: audit[NULLS],
        "nulls_interval": audit["nulls_interval"],
    }


def by_arm(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Mean distance and mean share of nulls above their jigsaws of each arm."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in rows:
        found[each["arm"]].append(each)
    return {
        name: (
            statistics.mean(each[DISTANCE] for each in of),
            statistics.mean(each[NULLS] for each in of),
        )
        for name, of in found.items()
    }


def figure(rows: Sequence[dict[str, Any]]) -> str:
    """SVG text: distance of the images across, what is told of structure up, a number an arm."""
    arms = by_arm(rows)
    with paper_style():
        drawn = Figure(figsize=(8.4, 4.4), layout="constrained")
        axes = drawn.subplots()
        axes.axvline(arms[PLAIN][0], color="#888888", lw=0.8, ls=(0, (4, 3)))
        axes.axhline(0.5, color="#888888", lw=0.8, ls=(0, (4, 3)))
        for number, (name, (across, up)) in enumerate(arms.items(), start=1):
            colour = colour_of(name)
            label = f"{number}  {name}"
            axes.plot(across, up, "o", color=colour, markersize=5, label=label)
            axes.annotate(
                str(number), (across, up), xytext=(5, 4), textcoords="offset points", fontsize=8
            )
        axes.set_xlabel("classifier Fréchet distance of the images (lower is better)")
        axes.set_ylabel("nulls above their blurred jigsaws")
        axes.grid(color="#e4e4e4", linewidth=0.5)
        drawn.legend(loc="outside right upper", fontsize=7.5, handlelength=0.8)
        return to_svg(drawn)


def colour_of(name: str) -> str:
    """Black without negatives; else by what keeps the seam from telling."""
    if name.startswith(PLAIN):
        return "#222222"
    if "structure_head" in name:
        return PALETTE[2]
    if "consistency" in name or "shown" in name:
        return PALETTE[0]
    return PALETTE[5] if "seam=" in name else PALETTE[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    rows = [row(folder) for folder in options.runs]
    if len(classifiers := {each["classifier"] for each in rows}) > 1:
        raise SystemExit(f"Distances of several classifiers do not compare: {classifiers}.")
    options.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(options.out)
    if options.figure:
        options.figure.write_text(figure(rows) + "\n", encoding="utf-8")
        print(options.figure)


if __name__ == "__main__":
    main()
