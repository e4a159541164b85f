"""Figures of MoCo runs and of their linear probes over seeds, and the cosines of Figure 9.

    python analysis/collect_moco.py --runs RUN RUN ... --probes PROBE PROBE ... \
        --out results/moco/cpu-cifar10.json --figure results/moco/cosines.svg

Runs differ by seed and by what they do with negatives; a probe counts for the run whose folder it
names as its encoder. Differences are taken to the runs without negatives, seed by seed.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collect import Values, summary

from nda.errors import ConfigError
from nda.evaluation.record import Histogram
from nda.recipes.moco.config import MocoConfig
from nda.recipes.moco.evaluate import FEATURES, HEAD
from nda.report.plots.curves import histogram_figure
from nda.training.run_folder import RunFolder

NONE = "none"
VARYING = {"seed", "negative", "negative_weight", "joint_forward"}
# Whatever these settings are, what is learned and measured is the same.
LEARNED_ALIKE = {*MocoConfig.marked("free")} - {"steps", "evaluation_samples"}
PANELS = {"features": "cosine_jigsaw", "after the head": "head_cosine_jigsaw"}
LAST_ROWS = 5  # of a log, over which the final loss is averaged


def collect(runs: Sequence[Path], probes: Sequence[Path]) -> dict[str, Any]:
    """Metrics of the latest evaluations, arm by arm."""
    values: dict[str, Values] = defaultdict(lambda: defaultdict(dict))
    protocols: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    apart = VARYING | LEARNED_ALIKE
    ordered = sorted(runs, key=lambda path: arm_of(config_of(path)) != NONE)
    for path in ordered:
        own = {name: value for name, value in config_of(path).items() if name not in apart}
        if settings and own != settings:
            raise ConfigError(f"{path} has other settings than {ordered[0]}; leave it out.")
        settings = own
        take(values, protocols, path, config_of(path), "")
    arms = {path.resolve().name: config_of(path) for path in ordered}
    for path in sorted(probes, key=lambda probe: arm_of(encoder_of(probe, arms)) != NONE):
        take(values, protocols, path, encoder_of(path, arms), "probe_")
    return {
        "settings": settings,
        "metrics": {
            name: {"protocol": protocols[name], **summary(found)} for name, found in values.items()
        },
    }


def take(
    values: dict[str, Values],
    protocols: dict[str, Any],
    path: Path,
    encoder: dict[str, Any],
    prefix: str,
) -> None:
    """Add the figures of a run, or of the probe of the encoder with these settings."""
    evaluation, run = latest(path), RunFolder.open(path)
    if not prefix:
        rows = [row["loss"] for row in run.log()[-LAST_ROWS:]]
        values["training_loss"][arm_of(encoder)][encoder["seed"]] = sum(rows) / len(rows)
        protocols["training_loss"] = {"rows": f"mean of the last {len(rows)} of the log"}
    for metric in evaluation["metrics"]:
        if metric["table"] not in ("", FEATURES, HEAD):
            continue  # of single classes and learning rates
        name = prefix + metric["name"]
        values[name][arm_of(encoder)][encoder["seed"]] = metric["value"]
        # What differs between runs of one protocol is no part of it.
        own = {k: v for k, v in metric["protocol"].items() if not k.startswith("encoder")}
        protocols[name] = {"step": evaluation["step"], **own}


def arm_of(config: dict[str, Any]) -> str:
    """The negative, and in what its use differs from the default."""
    if config["negative"] == NONE:
        return NONE
    words = [config["negative"]]
    if config["negative_weight"] != 1:
        words.append(f"weight {config['negative_weight']:g}")
    if not config["joint_forward"]:
        words.append("separate forward")
    return ", ".join(words)


def encoder_of(probe: Path, arms: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name = Path(config_of(probe)["encoder"]).name
    if name not in arms:
        raise ConfigError(f"{probe} probes {name}, which is not among --runs; give it there too.")
    return arms[name]


def config_of(path: Path) -> dict[str, Any]:
    return RunFolder.open(path).config()


def latest(path: Path) -> dict[str, Any]:
    evaluations = RunFolder.open(path).evaluations()
    if not evaluations:
        raise ConfigError(f"{path} has not been evaluated; finish it, or leave it out.")
    return evaluations[-1]


def cosine_figure(runs: Sequence[Path], seed: int) -> str:
    """The histograms of cosines with jigsaws, of one seed (Figure 9).

    A panel an arm of the encoder's features, then one an arm of the vectors that are compared.
    """
    panels = []
    ordered = sorted(runs, key=lambda each: arm_of(config_of(each)) != NONE)
    for words, name in PANELS.items():
        for path in ordered:
            config = config_of(path)
            if config["seed"] != seed:
                continue
            found = {each["name"]: each for each in latest(path)["histograms"]}
            arm = arm_of(config)
            title = "without negatives" if arm == NONE else f"with {arm}"
            panels.append((f"{words}, {title}", Histogram(**found[name])))
    return histogram_figure(panels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--probes", type=Path, nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=0, help="of the runs that are drawn")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    found = collect(options.runs, options.probes)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(options.out)
    if options.figure:
        options.figure.write_text(cosine_figure(options.runs, options.seed))
        print(options.figure)


if __name__ == "__main__":
    main()
