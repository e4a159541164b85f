"""`nda score` whose idle threads sleep, as they do, beside such as wait busily as usual.

    python benchmarks/idle_threads.py [--others 0 2] [--out results/benchmarks/idle_threads.json]

Both score the same zip of JPEG files, by turns, on free cores and beside processes that do nothing
but count. How long threads wait before they sleep is libgomp's to say.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from record import keep, parsed
from rich.console import Console
from rich.table import Table
from score import detector_file, pictures, scored, write_zip

# The first is of another library: libgomp does not read it, and nda takes it for a choice made.
POLICIES = {"busy": {"KMP_BLOCKTIME": "200"}, "asleep": {"OMP_WAIT_POLICY": "PASSIVE"}}


@contextmanager
def counting(processes: int) -> Iterator[None]:
    """So many processes want a core each."""
    words = [sys.executable, "-c", "while True: pass"]
    started = [subprocess.Popen(words) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """A row for each number of other processes."""
    detector, images = folder / "detector.safetensors", folder / "images.zip"
    detector_file(detector, options.resolution, options.width)
    write_zip(images, options.count, pictures(options.picture_side))
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("OMP_", "GOMP_", "KMP_"))}
    rows = []
    for others in options.others:
        rates: dict[str, list[float]] = {policy: [] for policy in POLICIES}
        with counting(others):
            for turn in range(options.turns):
                for policy, variables in POLICIES.items():
                    out = folder / f"{others}-{turn}-{policy}.csv"
                    with mock.patch.dict(os.environ, clean | variables, clear=True):
                        seconds, _ = scored(detector, images, options.batch_size, out)
                    rates[policy].append(options.count / seconds)
        ratios = [a / b for a, b in zip(rates["asleep"], rates["busy"], strict=True)]
        rows.append({
            "others": others, "load": os.getloadavg()[0], **rates,
            "ratio": statistics.median(ratios), "ratios": ratios,
        })  # fmt: skip
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="nda score, images a second")
    for heading in ("other processes", *POLICIES, "ratio", "turns"):
        table.add_column(heading, justify="right")
    for row in rows:
        rates = (f"{statistics.median(row[policy]):.0f}" for policy in POLICIES)
        turns = f"{min(row['ratios']):.2f} to {max(row['ratios']):.2f}"
        table.add_row(str(row["others"]), *rates, f"{row['ratio']:.2f}", turns)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--others", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--picture_side", type=int, default=160)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parsed(
        parser, others=[1], count=32, resolution=32, picture_side=40, width=8, batch_size=32,
        turns=1,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options, Path(folder))
    show(rows)
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
