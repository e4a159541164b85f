"""One training step of every recipe, without and with negatives, in parts."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from tests.support.each_recipe import data_for
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from nda.negatives import Negative
from nda.recipes import RECIPES
from nda.runtime.devices import peak_memory
from nda.runtime.seeding import draws_of_step
from nda.training.launch import launch
from suite.spread import told

PARTS = ("data", "negatives", "forward", "backward", "optimizer")
WITHOUT, WITH = "without", "with"
# The settings without and with negatives; one alone where a recipe knows no choice.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "gan": {WITHOUT: {"negative": "none"}, WITH: {"negative": "jigsaw"}},
    "numerosity": {WITHOUT: {"negative": "none"}, WITH: {"negative": "other_counts"}},
    "anomaly": {WITH: {"negative": "blemish"}},
    "pix2pix": {WITHOUT: {"negative": "none"}, WITH: {"negative": "jigsaw"}},
    "moco": {WITHOUT: {"negative": "none"}, WITH: {"negative": "jigsaw"}},
    "detection": {WITHOUT: {}},
    "linear-probe": {WITHOUT: {}},
    "dpc": {WITHOUT: {"negative": "none"}, WITH: {"negative": "jigsaw"}},
    "action": {WITHOUT: {}},
}
# As of the tests, and what a step on two cores can be: its parts have the shares of larger ones.
_VIDEO = {"resolution": 64, "frames": 2, "stride": 1, "batch_size": 4, "width": 8}
SMALL: dict[str, dict[str, Any]] = {
    "gan": {"width": 4, "latent_dim": 8, "batch_size": 8, "d_steps": 2},
    "numerosity": {"resolution": 24, "network": "dcgan", "width": 2, "batch_size": 8, "d_steps": 2},
    "anomaly": {"resolution": 32, "width": 8, "batch_size": 8},
    "pix2pix": {"resolution": 64, "width": 4, "norm": "instance", "batch_size": 2},
    "moco": {"resolution": 16, "width": 8, "batch_size": 8, "bn_splits": 2, "queue_size": 16},
    "detection": {
        "network": "resnet18",
        "width": 8,
        "train_sides": "32,40",
        "longest_side": 64,
        "anchors": "8,16,32",
        "rois": 8,
        "proposals": 20,
        "batch_size": 3,
    },
    "linear-probe": {"resolution": 32, "network": "cifar_resnet18", "width": 8, "batch_size": 8},
    "dpc": {**_VIDEO, "blocks": 4, "predict": 2},
    "action": {**_VIDEO, "blocks": 4, "holdout": 0.25},
}
USUAL: dict[str, dict[str, Any]] = {
    "gan": {"width": 8, "batch_size": 20},
    "numerosity": {"width": 8, "batch_size": 16},
    "anomaly": {"width": 16, "batch_size": 32},
    "moco": {"resolution": 32, "width": 16, "batch_size": 20, "bn_splits": 2, "queue_size": 320},
    "pix2pix": {"width": 16, "batch_size": 4},
}


def settings(recipe: str, folder: Path, *, quick: bool) -> dict[str, Any]:
    """What a run of the recipe is built of, its data written to the folder."""
    return SMALL[recipe] | ({} if quick else USUAL.get(recipe, {})) | data_for(recipe, folder)


@dataclass
class Taker:
    """A recipe's state, of which every step is taken apart by the processor's time."""

    config: Any
    recipe: Any
    state: Any
    parts: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    whole: list[float] = field(default_factory=list)

    def step(self, number: int, *, kept: bool) -> None:
        spent: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        started = time.process_time()
        with parts_of(spent):
            batch = self.state.batch(number)
            spent["data"] = time.process_time() - started
            rng = draws_of_step(0, 0, number, torch.device("cpu"))
            self.recipe.step(self.state, batch, rng)
        self.state.step += 1
        whole = time.process_time() - started
        spent["forward"] = whole - sum(spent.values())
        if kept:
            self.whole.append(whole)
            for part, seconds in spent.items():
                self.parts[part].append(seconds)


@contextmanager
def parts_of(spent: dict[str, float]) -> Iterator[None]:
    """Time gradients, optimizers and negatives, whoever calls them."""
    within: list[str] = []  # so that the outermost counts alone: a mixture draws by its members

    def timed(part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            if within:
                return work(*given, **named)
            within.append(part)
            started = time.process_time()
            try:
                return work(*given, **named)
            finally:
                spent[part] += time.process_time() - started
                within.pop()

        return run

    begun: list[float] = []
    before = register_optimizer_step_pre_hook(lambda *_: begun.append(time.process_time()))

    def ended(*_: Any) -> None:
        spent["optimizer"] += time.process_time() - begun.pop()

    after = register_optimizer_step_post_hook(ended)
    places: list[tuple[str, Any, str]] = [
        ("backward", torch.autograd, name) for name in ("backward", "grad")
    ]
    places += [
        ("negatives", kind, name)
        for kind in kinds(Negative)
        for name in ("draw", "replay", "null")
        if name in vars(kind)
    ]
    with ExitStack() as stack:
        for handle in (before, after):
            stack.callback(handle.remove)
        for part, place, name in places:
            stack.enter_context(patch.object(place, name, timed(part, getattr(place, name))))
        yield


def kinds(of: type[Any]) -> list[type[Any]]:
    """A class and all below it."""
    below: list[type[Any]] = of.__subclasses__()
    return [of, *(kind for each in below for kind in kinds(each))]


def built(recipe: str, changes: dict[str, Any]) -> Taker:
    entry = RECIPES[recipe]
    config = entry.config_class()(**changes)
    config.check()
    made = entry.recipe()
    return Taker(config, made, made.build(config, launch(config)))


def measured(*, quick: bool) -> dict[str, Any]:
    """A row for each recipe and variant."""
    turns, rows = (2 if quick else 9), []
    for recipe, variants in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            usual = settings(recipe, Path(folder), quick=quick)
            takers = {name: built(recipe, usual | changes) for name, changes in variants.items()}
            for turn in range(-1, turns):
                for taker in takers.values():
                    taker.step(max(turn, 0), kept=turn >= 0)
            plain = next(iter(takers.values())).whole
            for name, taker in takers.items():
                whole = sum(taker.whole)
                rows.append(
                    {
                        "recipe": recipe,
                        "negatives": name,
                        "settings": SMALL[recipe] | ({} if quick else USUAL.get(recipe, {})),
                        **told(taker.whole, plain),
                        "shares": {p: sum(taker.parts[p]) / whole for p in PARTS},
                        "trained_values": trained(taker.state),
                        "samples": taker.config.samples_per_step,
                        "peak_mib": None if quick else peak_of(recipe, name),
                    }
                )
    return {"rows": rows}


def trained(state: Any) -> int:
    """How many numbers the optimizers of a run change: what processes exchange at every step."""
    optimizers = [part for name, part in state.saved.items() if name.startswith("optim")]
    groups = [group for each in optimizers for group in each.param_groups]
    return sum(p.numel() for group in groups for p in group["params"])


def peak_of(recipe: str, variant: str) -> float:
    """MiB at the peak of a process of its own that takes three steps."""
    words = [sys.executable, "-m", "benchmarks", "--alone", f"{recipe}:{variant}"]
    found = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(found.stdout.split()[-1])


def alone(text: str) -> float:
    """As a process of its own does it, at the usual size."""
    recipe, _, variant = text.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        changes = settings(recipe, Path(folder), quick=False) | VARIANTS[recipe][variant]
        taker = built(recipe, changes)
        for number in range(3):
            taker.step(number, kept=False)
    return peak_memory(torch.device("cpu"))
