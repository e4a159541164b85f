"""What a step of each published experiment costs: operations, numbers exchanged, memory, time.

    python benchmarks/published_steps.py [--out results/benchmarks/published_steps.json]

One of each kind is built at its published size, but on a few made-up samples, and takes a real step
on one thread. Counted are the floating-point operations of matrix products and convolutions
(a multiplication and an addition are two), what is kept for the gradients, and what the optimizers
change, which is what processes exchange. What grows with the samples is
given for one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from record import keep, parsed
from rich.console import Console

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from suite.counted import Kept, Operations, exchanged  # noqa: E402
from suite.steps import trained  # noqa: E402
from tests.support.each_recipe import data_for  # noqa: E402

from nda.recipes import RECIPES, shipped  # noqa: E402
from nda.runtime.seeding import draws_of_step  # noqa: E402
from nda.training.launch import launch  # noqa: E402

# Of configurations that cost alike, the one that is measured, and what its data is too small for.
MEASURED: dict[str, dict[str, Any]] = {
    "gan/cifar10-jigsaw": {"batch_size": 2},
    "gan/celeba64-jigsaw": {"batch_size": 2},
    "numerosity/dots": {"batch_size": 2, "right_count": 2, "negative_counts": None},
    "pix2pix/cityscapes-jigsaw": {"batch_size": 1},
    "moco/cifar10-jigsaw": {"batch_size": 16, "queue_size": 4096},
    "moco/imagenet100-jigsaw": {"batch_size": 16, "queue_size": 4096},
    "dpc/ucf101-jigsaw": {"batch_size": 2, "split_file": None},
    "action/ucf101": {"batch_size": 2, "encoder": "none", "split_file": None},
}
SMALL = {"numerosity/dots": {**MEASURED["numerosity/dots"], "width": 4}}


@dataclass(frozen=True)
class Cost:
    """Of one experiment; the first three for one sample, the others for a step.

    What is kept is that of a sample of one update.
    """

    config: str
    operations: float
    kept_bytes: float
    seconds: float  # of one thread
    trained_values: int
    exchanged_values: int  # each as often as its optimizer steps


def measure(name: str, changes: dict[str, Any]) -> Cost:
    """A step to warm up, one against the clock, one that is counted."""
    recipe = name.partition("/")[0]
    entry = RECIPES[recipe]
    with tempfile.TemporaryDirectory() as folder:
        path = shipped.FOLDER / f"{name}.yaml"
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        given.pop("recipe", None)
        settings = given | data_for(recipe, Path(folder)) | changes
        config = entry.config_class()(**settings)
        config.check()
        made = entry.recipe()
        state = made.build(config, launch(config))
        started = 0.0
        for number in range(2):
            started = time.process_time()
            step(made, state, number)
        seconds = time.process_time() - started
        kept = Kept()
        with Operations() as operations, kept.hooks(), exchanged() as numbers:
            step(made, state, 2)
        samples = config.samples_per_step
        return Cost(
            name,
            operations.total / samples,
            kept.most / config.batch_size,  # a GAN's step has several updates, each forgotten
            seconds / samples,
            trained(state),
            sum(numbers),
        )


def step(recipe: Any, state: Any, number: int) -> None:
    rng = draws_of_step(0, 0, number, torch.device("cpu"))
    recipe.step(state, state.batch(number), rng)
    state.step += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    options = parsed(parser)
    torch.set_num_threads(1)
    rows = []
    for name, changes in (SMALL if options.quick else MEASURED).items():
        cost = measure(name, changes)
        Console().print(
            f"{name}: {cost.operations / 1e9:.1f} GFLOP and {cost.seconds:.2f} s a sample, "
            f"{cost.exchanged_values / 1e6:.1f} million numbers exchanged"
        )
        rows.append(vars(cost))
        keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
