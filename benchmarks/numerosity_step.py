"""Images a second of the numerosity recipe, and what share of a step is data, critic and generator.

    python benchmarks/numerosity_step.py --config FILE [--out FILE]

The data is drawn for the measurement. CPU time is the process's own; wall time is the user's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table

from nda.commands.parser import parse
from nda.data import to_float
from nda.data.dots import write_dots_archive
from nda.recipes.gan import train as gan
from nda.recipes.numerosity import train as numerosity
from nda.recipes.numerosity.config import NumerosityConfig
from nda.runtime.seeding import generator_for
from nda.training.launch import launch

PARTS = ("data", "critic", "generator")
IMAGES = {4: 500, 5: 500, 6: 1000, 7: 500}


def measure(config: NumerosityConfig, steps: int, warm_up: int = 3) -> dict[str, Any]:
    """Medians over the steps of the seconds that each part takes."""
    state = numerosity.build(config, launch(config)).gan
    taken: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        if state.fabric.device.type == "cuda":
            torch.cuda.synchronize()
        taken[part].append(time.perf_counter() - started)

    started, used = 0.0, 0.0
    for step in range(warm_up + steps):
        rng = generator_for(0, step=step, purpose="train", device=state.fabric.device)
        if step == warm_up:
            taken.clear()
            started, used = time.perf_counter(), time.process_time()
        with timed("data"):
            batch = state.batch(step)
            updates = [part.unflatten(0, (-1, config.batch_size)) for part in batch]
        for images, labels in zip(*updates, strict=True):
            with timed("critic"):
                gan.update_discriminator(state, to_float(images), labels, rng)
        with timed("generator"):
            gan.update_generator(state, rng)
            state.ema.update(state.generator.module, 1)
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    whole = sum(sum(taken[part]) for part in PARTS)
    return {
        "images_per_second": steps * state.config.samples_per_step / wall,
        "images_per_cpu_second": steps * state.config.samples_per_step / cpu,
        "share_of_time": {part: sum(taken[part]) / whole for part in PARTS},
        "median_seconds_of_an_update": {part: statistics.median(taken[part]) for part in PARTS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, steps=2)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        words = ["--config", options.config, "--out", folder, "--data", f"{folder}/dots.zip"]
        words += ["--width", "2", "--batch_size", "4"] if options.quick else []
        config = parse(words, NumerosityConfig, command="train numerosity", config_file=True)
        rng = torch.Generator().manual_seed(0)
        size = config.resolution or 64
        images = dict.fromkeys(IMAGES, 50) if options.quick else IMAGES
        write_dots_archive(Path(config.data), images, size, generator=rng)
        found = measure(config, options.steps)
    table = Table("part", "share of time")
    for part in PARTS:
        table.add_row(part, f"{found['share_of_time'][part]:.1%}")
    Console().print(f"{found['images_per_second']:.0f} images/s", table)
    keep(options, found, command=f"python benchmarks/numerosity_step.py --config {options.config}")


if __name__ == "__main__":
    main()
