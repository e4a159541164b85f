"""Time of one training iteration of the GAN recipe: plain, with weighted and with sampled NDA.

    python benchmarks/gan_step.py [--width 8] [--device cpu] [--out FILE]

The three take turns, one iteration each, so that whatever else the machine does falls on all
alike; medians over the turns, and the ratio to the plain GAN turn by turn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table

from nda.data.dots import write_dots_archive
from nda.recipes.gan import train as gan
from nda.recipes.gan.config import GanConfig
from nda.runtime.seeding import generator_for
from nda.training.launch import launch

VARIANTS: dict[str, dict[str, Any]] = {
    "plain GAN": {"negative": "none"},
    "NDA, sampled": {"negative": "jigsaw", "mixture": "sampled"},
    "NDA, weighted": {"negative": "jigsaw", "mixture": "weighted"},
}


@dataclass(frozen=True)
class Row:
    """Measured times of one variant."""

    variant: str
    seconds: float  # median
    ratio: float  # median of the ratios to the plain GAN in the same turn
    quartiles: tuple[float, float]  # of these ratios
    images_per_second: float


def measure(options: argparse.Namespace, data: Path) -> list[Row]:
    """Interleaved iterations of every variant on the same data and networks."""
    states = {name: build(options, data, changes) for name, changes in VARIANTS.items()}
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for turn in range(-options.warm_up, options.turns):
        for name, state in states.items():
            seconds = iteration(state, max(turn, 0))
            if turn >= 0:
                times[name].append(seconds)
    plain = times["plain GAN"]
    rows = []
    for name, seconds_of in times.items():
        ratios = [mine / its for mine, its in zip(seconds_of, plain, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        median = statistics.median(seconds_of)
        images = states[name].config.samples_per_step / median
        rows.append(Row(name, median, middle, (low, high), images))
    return rows


def build(options: argparse.Namespace, data: Path, changes: dict[str, Any]) -> Any:
    config = GanConfig(
        data=str(data),
        out="unused",
        width=options.width,
        batch_size=options.batch_size,
        device=options.device,
        precision=options.precision,
        compile=options.compile,
        **changes,
    )
    return gan.build(config, launch(config))


def iteration(state: Any, step: int) -> float:
    rng = generator_for(0, step=step, purpose="train", device=state.fabric.device)
    started = time.perf_counter()
    gan.step(state, state.batch(step), rng)
    if state.fabric.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def show(rows: list[Row]) -> None:
    table = Table()
    for heading in ("variant", "ms an iteration", "x plain GAN", "quartiles", "images/s"):
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    for row in rows:
        low, high = row.quartiles
        cells = (f"{1e3 * row.seconds:.1f}", f"{row.ratio:.3f}", f"{low:.3f} to {high:.3f}")
        table.add_row(row.variant, *cells, f"{row.images_per_second:.0f}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="32-true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--warm_up", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, width=1, batch_size=4, threads=1, turns=2, warm_up=1)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "dots.zip"
        rng = torch.Generator().manual_seed(0)
        write_dots_archive(archive, {4: 1000}, 32, generator=rng)
        rows = measure(options, archive)
    show(rows)
    keep(options, {"rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
