"""Training from tar shards that are decoded as they are needed, beside the same images in memory.

    python benchmarks/shards.py [--images 5600 56000] [--out FILE]

Steps of the GAN and of MoCo are timed by turns on a small set of JPEGs: held in memory as one
tensor, and decoded from shards ahead of each step. Beside the seconds that went by stand those of
the processor, over all threads: what would be left of the rate if decoding had no core of its own,
whoever else uses the machine. Then photographs are made up, put into shards, and `nda train
anomaly` trains on them in a process of its own, of which is told the most memory that was its own
(`benchmarks/large_sets.py`), with the size of the decoded set beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from large_sets import watched, write_photographs
from record import keep, parsed
from rich.console import Console

from nda.data.reading import on_demand
from nda.data.reading.on_demand import OnDemand
from nda.data.shards import survey
from nda.data.shards.write import write_shards
from nda.recipes import RECIPES
from nda.runtime.seeding import draws_of_step
from nda.training.launch import launch

SETTINGS: dict[str, dict[str, Any]] = {
    "gan": {"width": 16, "batch_size": 32},
    "moco": {"width": 16, "batch_size": 32, "queue_size": 1024},
}


def steps_of(
    recipe: str, data: Path, side: int, *, demand: bool, quick: bool
) -> Callable[[], None]:
    """What takes the next step of a run that reads its images in one of the two ways."""
    entry = RECIPES[recipe]
    small = {"width": 8, "batch_size": 8} if quick else {}
    config = entry.config_class()(
        data=str(data), out="unused", steps=10**6, resolution=side, device="cpu", holdout=0.25,
        **(SETTINGS[recipe] | small),
    )  # fmt: skip
    functions = entry.recipe()
    with counted_as_large(demand):
        state = functions.build(config, launch(config))
    assert isinstance(state.images, OnDemand) is demand

    def take() -> None:
        rng = draws_of_step(config.seed, 0, state.step, torch.device("cpu"))
        functions.step(state, state.batch(state.step), rng)
        state.step += 1

    return take


@contextmanager
def counted_as_large(demand: bool) -> Iterator[None]:
    """Every set counts as too large to be held, or none: one of a gigabyte takes long to write."""
    with ExitStack() as kept:
        for module in (on_demand, survey):
            kept.enter_context(mock.patch.object(module, "LARGE", 1 if demand else 2**40))
        yield


def rates(recipe: str, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a step of both ways, turn by turn, and the share of the rate that is kept."""
    with tempfile.TemporaryDirectory() as place:
        write_photographs(Path(place, "photographs"), options.few, options.stored)
        write_shards(Path(place, "photographs"), Path(place, "shards"))
        with mock.patch.dict(os.environ, NDA_CACHE=f"{place}/cache"):
            both = [
                steps_of(
                    recipe, Path(place, "shards"), options.side, demand=demand, quick=options.quick
                )
                for demand in (False, True)
            ]
        for take in both:
            take()
        seconds: list[torch.Tensor] = []
        for _ in range(options.turns):
            seconds.append(torch.tensor([timed(take, options.steps) for take in both]))
    found = torch.stack(seconds)  # (turns, in memory or from shards, gone by or of the processor)
    shares = found[:, 0] / found[:, 1]
    return {"recipe": recipe, "turns": options.turns} | {
        clock: {
            "in_memory_ms": rounded(1e3 * found[:, 0, column].median()),
            "from_shards_ms": rounded(1e3 * found[:, 1, column].median()),
            "share_of_rate": rounded(shares[:, column].median()),
            "least": rounded(shares[:, column].min()),
            "most": rounded(shares[:, column].max()),
        }
        for column, clock in enumerate(("gone_by", "of_the_processor"))
    }


def timed(take: Callable[[], None], steps: int) -> tuple[float, float]:
    """Seconds a step: those that go by, and those of the processor."""
    began, spent = time.perf_counter(), time.process_time()
    for _ in range(steps):
        take()
    return (time.perf_counter() - began) / steps, (time.process_time() - spent) / steps


def rounded(value: torch.Tensor) -> float:
    return round(float(value), 3)


def memory(count: int, side: int, steps: int) -> dict[str, Any]:
    """One run on shards of `count` images, which are trained on at `side` pixels."""
    with tempfile.TemporaryDirectory() as place:
        write_photographs(Path(place, "photographs/train"), count, side // 4)
        write_shards(Path(place, "photographs"), Path(place, "shards"))
        words = ["train", "anomaly", "--data", f"{place}/shards", "--out", f"{place}/run"]
        words += ["--method", "negatives", "--backbone", "plain", "--resolution", str(side)]
        words += ["--width", "4", "--batch_size", "2", "--steps", str(steps), "--device", "cpu"]
        words += ["--holdout", str(max(0.01, min(0.5, 20 / count)))]
        most, seconds = watched(words, cache=f"{place}/cache")
        disk = sum(path.stat().st_size for path in Path(place, "cache").rglob("*.safetensors"))
    return {
        "images": count,
        "side": side,
        "decoded_mib": round(3 * side * side * count / 2**20),
        "own_memory_mib": round(most / 2**10),
        "cache_mib": round(disk / 2**20, 1),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="*", default=[5600, 56000])
    parser.add_argument("--memory_side", type=int, default=256)
    parser.add_argument("--memory_steps", type=int, default=20)
    parser.add_argument("--few", type=int, default=400, help="images that steps are timed on")
    parser.add_argument("--stored", type=int, default=96, help="their side in the shards")
    parser.add_argument("--side", type=int, default=64, help="their side when trained on")
    parser.add_argument("--steps", type=int, default=3, help="steps a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--recipes", nargs="*", default=list(SETTINGS))
    parser.add_argument("--out", type=Path)
    options = parsed(
        parser, images=[50], memory_side=64, memory_steps=1, few=50, stored=40, side=32, steps=1,
        turns=1,
    )  # fmt: skip
    found: dict[str, Any] = {"rates": [], "memory": []}
    for recipe in options.recipes:
        found["rates"].append(rates(recipe, options))
        Console().print_json(json.dumps(found["rates"][-1]))
    for count in options.images:
        found["memory"].append(memory(count, options.memory_side, options.memory_steps))
        Console().print_json(json.dumps(found["memory"][-1]))
        keep(options, found)
    keep(options, found)


if __name__ == "__main__":
    main()
