"""Figures of detection or action runs by their encoders, seed by seed, with mean and spread.

    python analysis/collect_transfer.py RUN RUN ... --out results/detection/voc-sample.json

Runs are of one recipe and differ by encoder and seed only; an arm is what their encoder was trained
against. Random weights are the baseline, and a difference is taken between runs of the same seed.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from collect import Values, difference, summary

from nda.errors import CheckpointError
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder

RANDOM = "random"
ENCODERS = {"detection": "moco", "action": "dpc"}  # the recipe that a recipe's encoders are of
APART = ("out", "data", "seed", "encoder", "network", "width")  # of settings: not alike in all runs


def collect(folders: list[Path]) -> dict[str, Any]:
    """Metrics of the latest evaluation of each run, and which encoders they began with."""
    runs = [RunFolder.open(folder) for folder in folders]
    values: dict[str, Values] = defaultdict(lambda: defaultdict(dict))
    protocols: dict[str, Any] = {}
    encoders: dict[str, Any] = {}
    shared = settings_of(runs[0])
    plain = ENCODERS[shared["recipe"]]
    for run in runs:
        if settings_of(run) != shared:
            raise CheckpointError(f"{run.path} has other settings than {runs[0].path}.")
        config, evaluation, origin = run.config(), run.evaluations()[-1], origin_of(run)
        arm = arm_of(origin, plain)
        encoders[f"{arm}, seed {config['seed']}"] = origin
        for metric in evaluation["metrics"]:
            if metric["name"] == "tensors_taken_over" or metric["table"]:
                continue
            if config["seed"] in values[metric["name"]][arm]:
                raise CheckpointError(
                    f"{run.path} is a second run of {arm} with seed {config['seed']}; give one."
                )
            values[metric["name"]][arm][config["seed"]] = metric["value"]
            protocols[metric["name"]] = {"step": evaluation["step"], **metric["protocol"]}
    return {
        "settings": shared,
        "encoders": encoders,
        "metrics": {
            name: {"protocol": protocols[name], **with_plain(arms, plain)}
            for name, arms in values.items()
        },
    }


def settings_of(run: RunFolder) -> dict[str, Any]:
    return {name: value for name, value in run.config().items() if name not in APART}


def origin_of(run: RunFolder) -> dict[str, Any]:
    """What the run's checkpoint says of the weights that it began with."""
    origin: dict[str, Any] = load_latest(run)["state"]["origin"]
    return origin


def arm_of(origin: dict[str, Any], plain: str) -> str:
    """`random`, or the recipe of the encoder such as `moco`, or `moco + ` and the negative."""
    if origin["run"] == "none":
        return RANDOM
    return plain if origin["negative"] == "none" else f"{plain} + {origin['negative']}"


def with_plain(arms: Values, plain: str) -> dict[str, Any]:
    """The summary, and the differences to the plain encoder: what its negatives change."""
    ordered = {name: arms[name] for name in sorted(arms, key=lambda name: name != RANDOM)}
    found = summary(ordered)
    for name, by_seed in ordered.items():
        if name not in (RANDOM, plain) and plain in ordered:
            found["differences"][f"{name} - {plain}"] = difference(by_seed, ordered[plain])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(collect(options.folders), indent=1) + "\n")
    print(options.out)


if __name__ == "__main__":
    main()
