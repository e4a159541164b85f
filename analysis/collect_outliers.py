"""Outlier figures of GAN runs without and with negatives, seed by seed, beside the baselines.

    python analysis/collect_outliers.py RUN RUN ... --out results/outliers/cpu-cifar10.json

Each run has been measured by `nda evaluate RUN --ood NAME=PATH ...` and `nda evaluate RUN
--corruptions`. Runs that differ by seed share an arm, named by their negative. The classifier of
the baselines is the same for all runs, so its figures are given once. A run whose discriminator has
collapsed counts like any other and is named.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from collect import summary

from nda.training.run_folder import RunFolder

DETECTOR, BASELINES = "discriminator", ("msp", "energy", "knn")


def collect(folders: list[Path]) -> dict[str, Any]:
    """AUROCs of the sets and the means over the corruptions."""
    values: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    baselines: dict[str, dict[str, float]] = defaultdict(dict)
    protocols: dict[str, Any] = {}
    collapsed = []
    for folder in folders:
        run = RunFolder.open(folder)
        config, evaluation = run.config(), run.evaluations()[-1]
        arm, seed = config["negative"], config["seed"]
        if gap_is_nothing(evaluation):
            collapsed.append({"negative": arm, "seed": seed})
        for metric in evaluation["metrics"]:
            place = place_of(metric)
            if place is None:
                continue
            what, kind = place
            if kind == DETECTOR:
                values[what][arm][seed] = metric["value"]
                protocols[what] = metric["protocol"]
            else:
                baselines[what][kind] = metric["value"]
    return {
        "collapsed": collapsed,
        "auroc": {
            what: {
                "protocol": protocols[what],
                "baselines": baselines[what],
                **summary(arms),
                "without_collapsed": means_without(arms, collapsed),
            }
            for what, arms in values.items()
        },
    }


def place_of(metric: dict[str, Any]) -> tuple[str, str] | None:
    """What an AUROC is of, and whose score it is, such as (digits, knn); None for others."""
    kind = metric.get("kind")
    if not kind:
        return place_by_name(metric["name"])
    if kind["figure"] != "auroc" or "score" not in kind:
        return None
    if "set" in kind:
        return kind["set"], kind["score"]
    return f"corrupted_{kind['corruption']}_{kind['severity']}", kind["score"]


def place_by_name(name: str) -> tuple[str, str] | None:
    """The same of a run of an earlier version: `ood_digits_knn_auroc` is (digits, knn)."""
    if not name.endswith("_auroc") or not name.startswith(("ood_", "corrupted_")):
        return None
    middle = name.removesuffix("_auroc")
    for kind in (DETECTOR, *BASELINES):
        if middle.endswith(f"_{kind}"):
            what = middle.removesuffix(f"_{kind}").removeprefix("ood_")
            return what, kind
    return None


def gap_is_nothing(evaluation: dict[str, Any]) -> bool:
    """Whether D gives images and all of their negatives one and the same score."""
    spreads = [
        metric["value"] for metric in evaluation["metrics"] if metric["name"].startswith("gap_std_")
    ]
    return bool(spreads) and max(spreads) < 1e-2


def means_without(
    arms: dict[str, dict[int, float]], collapsed: list[dict[str, Any]]
) -> dict[str, float]:
    """Mean of each arm over the seeds that did not collapse."""
    lost = {(each["negative"], each["seed"]) for each in collapsed}
    kept = {
        arm: [value for seed, value in by_seed.items() if (arm, seed) not in lost]
        for arm, by_seed in arms.items()
    }
    return {arm: statistics.mean(numbers) for arm, numbers in kept.items() if numbers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(collect(options.runs), indent=1) + "\n")
    print(options.out)


if __name__ == "__main__":
    main()
