"""A training run in two processes beside one of one process, each with one thread.

    python benchmarks/two_processes.py [--turns 3] [--out FILE]

Runs are those of `nda train`, started one after the other in pairs, which of the two begins taking
turns; each process takes the whole batch size, so that two see twice as many samples a step. Rates
are those of the run's own log, of the rows after the first, which has the start in it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table

from nda.data.dots import write_dots_archive


def rate(processes: int, options: argparse.Namespace, folder: Path) -> float:
    """Samples a second of a run."""
    run = Path(tempfile.mkdtemp(dir=folder), "run")
    words = [sys.executable, "-m", "nda", "train", "gan", "--data", str(folder / "dots.zip")]
    words += ["--out", str(run), "--device", "cpu", "--devices", str(processes)]
    words += ["--steps", str(options.steps), "--width", str(options.width)]
    words += ["--batch_size", str(options.batch_size), "--network", "biggan"]
    words += ["--log_every", str(options.log_every), "--evaluation_samples", "16"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NDA_CACHE": str(folder / "cache")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"nda ended with {done.returncode}: {done.stderr[-2000:]}")
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    rates = [row["images_per_second"] for row in rows if "images_per_second" in row]
    return statistics.median(rates[1:] or rates)


def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, float]]:
    found = []
    for turn in range(options.turns):
        rates = {
            processes: rate(processes, options, folder)
            for processes in ((1, 2) if turn % 2 == 0 else (2, 1))
        }
        found.append({"one": rates[1], "two": rates[2], "ratio": rates[2] / rates[1]})
    return found


def show(pairs: list[dict[str, float]]) -> None:
    table = Table(title="nda train gan: two processes beside one")
    for heading in ("one, samples/s", "two", "ratio"):
        table.add_column(heading, justify="right")
    for pair in pairs:
        table.add_row(f"{pair['one']:.0f}", f"{pair['two']:.0f}", f"{pair['ratio']:.2f}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--log_every", type=int, default=5)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, width=1, batch_size=4, steps=2, log_every=1, turns=1)
    with tempfile.TemporaryDirectory() as place:
        rng = torch.Generator().manual_seed(0)
        write_dots_archive(Path(place, "dots.zip"), {4: 1000}, 32, generator=rng)
        pairs = measure(options, Path(place))
    result: dict[str, Any] = {
        "ratio": statistics.median(pair["ratio"] for pair in pairs),
        "pairs": pairs,
    }
    show(pairs)
    keep(options, result)


if __name__ == "__main__":
    main()
