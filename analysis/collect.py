"""Figures of several runs, seed by seed, with mean, spread and the paired difference.

    python analysis/collect.py runs RUN RUN ... --out results/gan/cpu-cifar10.json
    python analysis/collect.py quickstart DIR DIR ... --out results/quickstart/summary.json
    python analysis/collect.py pooled FILE FILE ... --out results/gan/structure-head-pooled.json

What is pooled are collections of other seeds: each pair of runs was measured alike, but the
classifier may be another one in each file. The first negative named (or "none") is the baseline; a
difference is taken between runs of the same seed, and its 95 % interval is Student's over the
seeds.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from scipy.stats import t as student

from nda.training.run_folder import RunFolder

NEGATING = ("negative", "structure_head", "structure_generator")  # what arms may differ by
GAME = {  # and by what is not as usual
    "objective": "hinge", "fake_weight": 0.25, "fake_weight_schedule": "constant",
    "matched": "none", "zero_centred_penalty": 0.0,
}  # fmt: skip
Values = dict[str, dict[int, float]]  # arm to seed to value


def collect_runs(folders: list[Path]) -> dict[str, Any]:
    """Metrics of the latest evaluation of each run. Arms are named by how they negate."""
    runs = [RunFolder.open(folder) for folder in folders]
    values: dict[str, Values] = defaultdict(lambda: defaultdict(dict))
    protocols: dict[str, Any] = {}
    for run in runs:
        config, evaluation = run.config(), run.evaluations()[-1]
        for metric in evaluation["metrics"]:
            values[metric["name"]][arm(config)][config["seed"]] = metric["value"]
            protocols[metric["name"]] = {"step": evaluation["step"], **metric["protocol"]}
    settings = runs[0].config()
    for name in ("out", "data", "seed", *NEGATING, *GAME):
        settings.pop(name, None)
    return {
        "settings": settings,
        "metrics": {
            name: {"protocol": protocols[name], **summary(arms)} for name, arms in values.items()
        },
    }


def arm(config: dict[str, Any]) -> str:
    """The negative, the weights of a structure head where there is one, and an unusual game."""
    weights = [f"{name} {config[name]:g}" for name in NEGATING[1:] if config.get(name)]
    unusual = {n: config[n] for n, usual in GAME.items() if config.get(n, usual) != usual}
    game = [v if isinstance(v, str) else f"{name} {v:g}" for name, v in unusual.items()]
    return ", ".join([config["negative"], *weights, *game])


def collect_quickstarts(folders: list[Path]) -> dict[str, Any]:
    """The counts of several quickstarts, one a seed."""
    values: dict[str, Values] = defaultdict(lambda: defaultdict(dict))
    commands = []
    for folder in folders:
        content = json.loads((folder / "quickstart.json").read_text())
        commands.append(content["command"])
        for row in content["measured"]:
            row["exact_share"] = row["exact"] / row["images"]
            for name in ("exact_share", "mean", "deviation", "hue_entropy", "saturation",
                         "position_entropy"):  # fmt: skip
                values[name][row["title"]][content["seed"]] = row[name]
    return {
        "commands": commands,
        "metrics": {name: summary(arms) for name, arms in values.items()},
    }


def collect_pooled(files: list[Path]) -> dict[str, Any]:
    """The seeds of several collections together, and where each came from."""
    values: dict[str, Values] = defaultdict(lambda: defaultdict(dict))
    protocols: dict[str, list[Any]] = defaultdict(list)
    for file in files:
        for name, metric in json.loads(file.read_text())["metrics"].items():
            protocols[name].append({"file": file.name, **metric["protocol"]})
            for title, each in metric["arms"].items():
                by_seed = {int(seed): value for seed, value in each["by_seed"].items()}
                if both := values[name][title].keys() & by_seed.keys():
                    raise SystemExit(f"{file} has seed {min(both)} of {title} once more.")
                values[name][title] |= by_seed
    return {
        "metrics": {
            name: {"protocols": protocols[name], **summary(arms)} for name, arms in values.items()
        }
    }


def summary(arms: Values) -> dict[str, Any]:
    """Values by seed, mean and standard deviation of each arm, and differences to the first."""
    baseline = next((name for name in arms if name in ("none", "without NDA")), next(iter(arms)))
    result: dict[str, Any] = {"arms": {}, "differences": {}}
    for name, by_seed in arms.items():
        numbers = list(by_seed.values())
        spread = statistics.stdev(numbers) if len(numbers) > 1 else None
        result["arms"][name] = {
            "by_seed": by_seed,
            "mean": statistics.mean(numbers),
            "standard_deviation": spread,
        }
        if name != baseline:
            result["differences"][f"{name} - {baseline}"] = difference(by_seed, arms[baseline])
    return result


def difference(ours: dict[int, float], theirs: dict[int, float]) -> dict[str, Any]:
    """Mean paired difference over common seeds with Student's 95 % interval."""
    pairs = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
    mean = statistics.mean(pairs)
    if len(pairs) < 2:
        return {"mean": mean, "seeds": len(pairs), "interval_95": None}
    error = statistics.stdev(pairs) / math.sqrt(len(pairs))
    half = float(student.ppf(0.975, len(pairs) - 1)) * error
    return {"mean": mean, "seeds": len(pairs), "interval_95": [mean - half, mean + half]}


KINDS = {"runs": collect_runs, "quickstart": collect_quickstarts, "pooled": collect_pooled}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    collect = KINDS[options.kind]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(collect(options.folders), indent=1) + "\n")
    print(options.out)


if __name__ == "__main__":
    main()
