"""Time of one step of the pix2pix recipe, and where it goes: data, negatives, both networks.

    python benchmarks/pix2pix_step.py [--resolution 64] [--width 16] [--device cpu] [--out FILE]

Runs without and with jigsaw take turns, one step each, so that whatever else the machine does falls
on both alike; medians over the turns. "data" is taking the pairs, bringing them to the networks'
range and jittering them; decoding happens once, before the first step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from record import keep, parsed
from rich import box
from rich.console import Console
from rich.table import Table

from nda.recipes.pix2pix import train as pix2pix
from nda.recipes.pix2pix.config import Pix2PixConfig
from nda.recipes.pix2pix.train import Pix2PixState
from nda.runtime.seeding import generator_for
from nda.training.launch import launch

PAIRS = 64
PARTS = ("data", "negatives", "discriminator", "generator")
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """Measured times of one variant; the shares are those of the median step's parts."""

    variant: str
    seconds: float  # median of a whole step
    images_per_second: float
    shares: dict[str, float]


class Clock:
    """Seconds by part, waiting for a GPU at the end of each."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def time(self, part: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = work()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds[part] += time.perf_counter() - started
        return result


def timed_step(state: Pix2PixState, step: int) -> dict[str, float]:
    """The lines of `pix2pix.step`, each under the clock."""
    clock = Clock(state.fabric.device)
    rng = generator_for(0, step=step, purpose="train", device=state.fabric.device)
    rows, inputs, targets = clock.time("data", lambda: state.batch(step))
    condition, real = clock.time("data", lambda: pix2pix.prepared(state, inputs, targets, rng))
    fake = clock.time("generator", lambda: state.generator(condition))
    pairs = [(condition, real), (condition, fake.detach())]
    if state.negative is not None:
        pairs.append(
            clock.time(
                "negatives",
                lambda: pix2pix.make_negatives(state, rows, condition, real, rng),
            )
        )
    clock.time("discriminator", lambda: pix2pix.update_discriminator(state, pairs, rng))
    clock.time("generator", lambda: pix2pix.update_generator(state, condition, real, fake))
    return clock.seconds


def measure(options: argparse.Namespace, data: Path) -> list[Row]:
    """Interleaved steps of both variants on the same pairs."""
    states = {name: build(options, data, name) for name in ("none", "jigsaw")}
    times: dict[str, list[dict[str, float]]] = {name: [] for name in states}
    for turn in range(-options.warm_up, options.turns):
        for name, state in states.items():
            seconds = timed_step(state, max(turn, 0))
            if turn >= 0:
                times[name].append(seconds)
    rows = []
    for name, steps in times.items():
        whole = statistics.median(sum(seconds.values()) for seconds in steps)
        parts = {part: statistics.median(seconds[part] for seconds in steps) for part in PARTS}
        total = sum(parts.values())
        shares = {part: value / total for part, value in parts.items()}
        rows.append(Row(name, whole, options.batch_size / whole, shares))
    return rows


def build(options: argparse.Namespace, data: Path, negative: str) -> Pix2PixState:
    config = Pix2PixConfig(
        data=str(data),
        out="unused",
        side_by_side=True,
        palette="none",
        negative=negative,
        resolution=options.resolution,
        width=options.width,
        norm=options.norm,
        batch_size=options.batch_size,
        device=options.device,
        precision=options.precision,
        compile=options.compile,
    )
    config.check()
    return pix2pix.build(config, launch(config))


def write_noise(folder: Path, resolution: int) -> None:
    """Images of noise that hold both halves of a pair: only their size matters."""
    for index in range(PAIRS):
        draws = np.random.default_rng(index)
        pixels = draws.integers(0, 256, (resolution, 2 * resolution, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")


def show(rows: list[Row]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)  # fits 80 columns
    for heading in ("negative", "ms a step", "images/s", *PARTS):
        table.add_column(heading, justify="left" if heading == "negative" else "right")
    for row in rows:
        shares = (f"{100 * row.shares[part]:.1f} %" for part in PARTS)
        table.add_row(
            row.variant, f"{1e3 * row.seconds:.1f}", f"{row.images_per_second:.1f}", *shares
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--norm", default="instance")
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--warm_up", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, width=2, batch_size=2, turns=2, warm_up=1)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        write_noise(Path(folder), options.resolution)
        rows = measure(options, Path(folder))
    show(rows)
    keep(options, {"rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
