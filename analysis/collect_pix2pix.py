"""Figures of pix2pix runs without and with negatives, seed by seed, and rows of what they draw.

    python analysis/collect_pix2pix.py RUN RUN ... --out results/pix2pix/cpu-camvid.json \
        [--figure results/pix2pix/cpu-camvid.png]

Runs differ by negative and seed only; an arm is named by its negative. The figure shows held-out
pairs: input, one run of each arm (the same seed, the smallest that all arms have), truth.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from collect import summary

from nda.report.pictures.grid import save_png
from nda.report.pictures.translations import compared_translations
from nda.training.run_folder import RunFolder

MAIN = ("pixel_accuracy", "class_accuracy", "mean_iou", "l1", "gap_jigsaw")
BASELINE = "none"


def collect(folders: list[Path]) -> dict[str, Any]:
    """Mean, spread and paired differences of the main figures and of each class's IoU."""
    runs = [RunFolder.open(folder) for folder in folders]
    refuse_unlike(runs)
    values: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    protocols: dict[str, Any] = {}
    seconds: dict[str, dict[int, float]] = defaultdict(dict)
    for run in ordered(runs):
        config, evaluation = run.config(), run.evaluations()[-1]
        arm, seed = arm_of(config), config["seed"]
        rows = run.log()
        if rows:
            seconds[arm][seed] = rows[-1]["seconds"]
        for metric in evaluation["metrics"]:
            if metric["name"] in MAIN or metric["name"].startswith("iou_"):
                values[metric["name"]][arm][seed] = metric["value"]
                protocols[metric["name"]] = {"step": evaluation["step"], **metric["protocol"]}
    return {
        "settings": shared_settings(runs),
        "training_seconds": seconds,
        "metrics": {
            name: {"protocol": protocols[name], **summary(arms)}
            for name, arms in sorted(values.items(), key=lambda item: place(item[0]))
        },
    }


def figure_runs(folders: list[Path]) -> list[RunFolder]:
    """One run of each arm, of the smallest seed that all arms have; the baseline first."""
    runs = ordered([RunFolder.open(folder) for folder in folders])
    by_arm: dict[str, dict[int, RunFolder]] = defaultdict(dict)
    for run in runs:
        by_arm[arm_of(run.config())][run.config()["seed"]] = run
    common = set.intersection(*(set(by_seed) for by_seed in by_arm.values()))
    if not common:
        sys.exit("The arms have no seed in common, so a figure would not compare like with like.")
    return [by_seed[min(common)] for by_seed in by_arm.values()]


def draw(runs: list[RunFolder], out: Path) -> None:
    """Rows of input, a run's output for each arm, truth, at the latest step in common."""
    steps = [{int(path.stem[5:]) for path in run.samples.glob("step-*.png")} for run in runs]
    step = max(set.intersection(*steps))
    labels = [arm_of(run.config()) for run in runs]
    grid = compared_translations([run.samples for run in runs], labels, step)
    if grid is None:
        sys.exit("The runs do not show the same held-out pairs, so they cannot share a figure.")
    save_png(grid, out)


def arm_of(config: dict[str, Any]) -> str:
    """The negative, with a remark where it changes the inputs as well."""
    both = config.get("negative_pair") == "both" and config["negative"] != BASELINE
    return f"{config['negative']} of both" if both else str(config["negative"])


def ordered(runs: list[RunFolder]) -> list[RunFolder]:
    """The baseline first, then the other arms as they were named; each by seed."""
    arms = list(dict.fromkeys(arm_of(run.config()) for run in runs))
    arms.sort(key=lambda arm: arm != BASELINE)
    return sorted(runs, key=lambda run: (arms.index(arm_of(run.config())), run.config()["seed"]))


def shared_settings(runs: list[RunFolder]) -> dict[str, Any]:
    hidden = ("out", "data", "target_data", "seed", "negative", "negative_pair", "fake_weight")
    return {name: value for name, value in runs[0].config().items() if name not in hidden}


def refuse_unlike(runs: list[RunFolder]) -> None:
    """End where runs differ in more than negative and seed, or were not evaluated."""
    for run in runs:
        if not run.evaluations():
            sys.exit(f"{run.path} has not been evaluated.")
        if shared_settings([run]) != shared_settings(runs):
            sys.exit(f"{run.path} has other settings than {runs[0].path}, beside its negative.")


def place(name: str) -> tuple[int, str]:
    """The main figures first, then the classes by name."""
    return (MAIN.index(name), "") if name in MAIN else (len(MAIN), name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(collect(options.runs), indent=1) + "\n")
    print(options.out)
    if options.figure:
        draw(figure_runs(options.runs), options.figure)
        print(options.figure)


if __name__ == "__main__":
    main()
