"""Counts of objects in generated images over seeds and λ: one JSON and one figure (Figure 6).

    python analysis/collect_numerosity.py RUN RUN ... \
        --out results/numerosity/dots.json --figure results/numerosity/dots.svg

Runs differ by seed, by --negative and by --fake_weight only. The arm without negatives is the
baseline; differences are taken between runs of one seed, as in collect.py.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from collect import Values, summary
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from nda.errors import ConfigError
from nda.report.plots.svg import PALETTE, WIDTH, paper_style, to_svg
from nda.training.run_folder import RunFolder

NONE = "none"
VARYING = ("out", "data", "seed", "negative", "negative_counts", "negative_data", "fake_weight")


def collect(folders: list[Path]) -> dict[str, Any]:
    """Figures of the latest evaluation of each run, arm by arm, and the shares of each count."""
    values: dict[str, Values] = defaultdict(lambda: defaultdict(dict))
    shares: dict[str, list[list[float]]] = defaultdict(list)
    protocols: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for folder in sorted(folders, key=lambda each: arm_of(RunFolder.open(each).config())):
        run = RunFolder.open(folder)
        config, evaluations = run.config(), run.evaluations()
        if not evaluations:
            raise ConfigError(f"{folder} has not been evaluated; finish it, or leave it out.")
        evaluation = evaluations[-1]
        own = {name: value for name, value in config.items() if name not in VARYING}
        refuse_others(folder, own, settings)
        settings = own
        for metric in evaluation["metrics"]:
            values[metric["name"]][arm_of(config)][config["seed"]] = metric["value"]
            protocols[metric["name"]] = {"step": evaluation["step"], **metric["protocol"]}
        series = evaluation["histograms"][0]["series"]
        shares[arm_of(config)].append(as_shares(series["generated"]))
        shares["real"].append(as_shares(series["real"]))
    return {
        "settings": settings,
        "metrics": {
            name: {"protocol": protocols[name], **summary(arms)} for name, arms in values.items()
        },
        "shares": {arm: over_seeds(rows) for arm, rows in shares.items()},
    }


def arm_of(config: dict[str, Any]) -> str:
    """`none`, or λ of a run with negatives."""
    return NONE if config["negative"] == NONE else f"λ = {config['fake_weight']:g}"


def refuse_others(folder: Path, own: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse runs that cannot be set beside each other (`ConfigError`)."""
    if own["recipe"] != "numerosity":
        raise ConfigError(f"{folder} is a run of {own['recipe']}; give runs of numerosity.")
    unlike = [name for name in settings if own.get(name) != settings[name]]
    if unlike:
        raise ConfigError(
            f"{unlike[0]} of {folder} is {own.get(unlike[0])!r} and was {settings[unlike[0]]!r} "
            "before; give runs that differ by seed and negatives alone."
        )


def as_shares(counts: list[int]) -> list[float]:
    return [count / sum(counts) for count in counts]


def over_seeds(rows: list[list[float]]) -> dict[str, Any]:
    """Mean and standard deviation of each count's share; rows may be of different lengths."""
    most = max(map(len, rows))
    columns = list(zip(*(row + [0.0] * (most - len(row)) for row in rows), strict=True))
    return {
        "runs": len(rows),
        "mean": [statistics.mean(column) for column in columns],
        "standard_deviation": [
            statistics.stdev(column) if len(column) > 1 else None for column in columns
        ],
    }


def draw(found: dict[str, Any], shown: str) -> str:
    """SVG of the shares of counts without, with (the arm `shown`) and in real images; and of λ."""
    if shown not in found["shares"]:
        arms = ", ".join(arm for arm in found["shares"] if arm != "real")
        raise ConfigError(f"There is no run of {shown!r} to show; there are {arms}.")
    exact = found["metrics"]["generated_exact"]["arms"]
    sweep = {float(arm.split()[-1]): arm for arm in exact if arm != NONE}
    with paper_style():
        swept = len(sweep) > 1  # one λ makes no curve
        figure = Figure(figsize=(WIDTH, 5.6 if swept else 2.9), layout="constrained")
        upper, *lower = figure.subplots(1 + swept, squeeze=False)[:, 0]
        draw_shares(upper, found["shares"], shown)
        for axes in lower:
            weights = {weight: exact[arm] for weight, arm in sweep.items()}
            draw_sweep(axes, weights, exact.get(NONE))
        for axes in (upper, *lower):
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.grid(axis="y", color="#e4e4e4", linewidth=0.5)
            axes.set_axisbelow(True)
            axes.set_ylim(bottom=0)
        return to_svg(figure)


def draw_shares(axes: Axes, shares: dict[str, Any], shown: str) -> None:
    """A group of bars a count: without NDA, with it, real images."""
    arms = {NONE: "without NDA", shown: f"with NDA, {shown}", "real": "real images"}
    present = [arm for arm in arms if arm in shares]
    width = 0.8 / len(present)
    for place, arm in enumerate(present):
        mean, deviation = shares[arm]["mean"], shares[arm]["standard_deviation"]
        axes.bar(
            [count + (place - (len(present) - 1) / 2) * width for count in range(len(mean))],
            mean,
            width,
            yerr=[value or 0 for value in deviation],
            error_kw={"elinewidth": 0.8},
            color=PALETTE[place],
            label=f"{arms[arm]} (n = {shares[arm]['runs']})" if arm != "real" else arms[arm],
        )
    axes.set_xlabel("objects in an image")
    axes.set_ylabel("share of images")
    axes.set_xticks(range(max(len(shares[arm]["mean"]) for arm in present)))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1))  # above: bars reach to the top


def draw_sweep(axes: Axes, sweep: dict[float, Any], baseline: dict[str, Any] | None) -> None:
    """Share exact against λ: a point a seed, a line through the means; the baseline dashed."""
    weights = sorted(sweep)
    axes.plot(weights, [sweep[weight]["mean"] for weight in weights], color=PALETTE[1])
    for weight in weights:
        seeds = list(sweep[weight]["by_seed"].values())
        axes.plot([weight] * len(seeds), seeds, "o", color=PALETTE[1], ms=4, clip_on=False)
    if baseline:
        axes.axhline(baseline["mean"], color=PALETTE[0], ls="--", label="without NDA, mean")
        axes.legend(loc="lower left")
    axes.set_xlabel("λ, share of generated images in the mixture")
    axes.set_ylabel("share exact")
    axes.set_xlim(0, 1.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--shown", type=float, default=0.5, help="λ of the arm in the histogram")
    options = parser.parse_args()
    found = collect(options.runs)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print(options.out)
    if options.figure:
        options.figure.write_text(draw(found, f"λ = {options.shown:g}"))
        print(options.figure)


if __name__ == "__main__":
    main()
