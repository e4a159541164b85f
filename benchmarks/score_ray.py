"""What more workers bring to `nda score`: processes, and workers of Ray Data on this machine.

    python benchmarks/score_ray.py [--out results/benchmarks/score-ray.json]

An untrained detector of the usual size scores a zip of JPEG files by one worker of one thread and
by two, in pairs one right after the other, since other work on the machine disturbs both alike. A
rate is that of the last three quarters of the images, when every worker is at work; what starting
took is told apart. Processor time is that of all processes of ours, Ray's own too, which others
disturb little. The load is that of the system as each pair begins, which others may cause.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table
from score import detector_file, pictures, write_zip

from nda.api.score.images import score_images
from nda.api.settings import ScoreOptions
from nda.report.scored import Scored
from nda.runtime.notes import overheard
from nda.runtime.workers.ray_cluster import ray_cluster

WAYS = ("processes", "ray")


def scored(options: ScoreOptions) -> dict[str, float]:
    """Of the last three quarters of the images, when every worker is at work."""
    times: list[float] = []
    spent: list[float] = []
    count = int(Path(options.images).stem)
    first = count // 4

    def each(_: Scored) -> None:
        if len(times) in (first, count - 1):
            spent.append(processor_seconds())
        times.append(time.perf_counter())

    began = time.perf_counter()
    with overheard():
        found = score_images(options, each=each)
    if found.seen.counts["broken"]:
        raise RuntimeError("pictures could not be read, so nothing was measured")
    left = count - 1 - first
    return {
        "images_per_second": left / (times[-1] - times[first]),
        "processor_ms_an_image": 1000 * (spent[1] - spent[0]) / left,
        "seconds_to_first_row": times[0] - began,
        "seconds": times[-1] - began,
    }


def processor_seconds() -> float:
    """What this process and all that descend from it have used; 0 where there is no /proc."""
    ticks: dict[int, tuple[int, float]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        fields = line.rpartition(")")[2].split()
        ticks[int(process.name)] = int(fields[1]), float(fields[11]) + float(fields[12])
    ours = {os.getpid()}
    while more := {each for each, (parent, _) in ticks.items() if parent in ours} - ours:
        ours |= more
    return sum(ticks[each][1] for each in ours if each in ticks) / os.sysconf("SC_CLK_TCK")


def pairs(way: str, options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """One worker and two, so many times; which of them begins takes turns."""
    found = []
    for turn in range(options.turns):
        pair: dict[str, Any] = {"load": os.getloadavg()[0]}
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            pair[str(workers)] = scored(
                ScoreOptions(
                    run=str(folder / "detector.safetensors"),
                    images=str(folder / f"{options.count}.zip"),
                    out="",
                    batch_size=options.batch_size,
                    device="cpu",
                    workers=workers,
                    ray="local" if way == "ray" else None,
                )
            )
        pair["ratio"] = pair["2"]["images_per_second"] / pair["1"]["images_per_second"]
        found.append(pair)
    return found


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    torch.set_num_threads(1)  # each worker has one, as if the cores were others' too
    detector_file(folder / "detector.safetensors", options.resolution, options.width)
    write_zip(folder / f"{options.count}.zip", options.count, pictures(options.picture_side))
    result = {}
    for way in options.ways:
        if way == "ray":
            with ray_cluster("local", 2):
                result[way] = pairs(way, options, folder)
        else:
            result[way] = pairs(way, options, folder)
    return result


def show(result: dict[str, Any]) -> None:
    table = Table(title="nda score: two workers beside one")
    headings = (
        "workers",
        "one, images/s",
        "two",
        "ratio",
        "pairs",
        "one, ms an image",
        "two",
        "load",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "workers" else "right")
    for way, found in result.items():
        middle = [
            statistics.median(pair[workers][figure] for pair in found)
            for figure in ("images_per_second", "processor_ms_an_image")
            for workers in ("1", "2")
        ]
        ratios = sorted(pair["ratio"] for pair in found)
        table.add_row(
            way,
            *(f"{speed:.0f}" for speed in middle[:2]),
            f"{statistics.median(ratios):.2f}",
            f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
            *(f"{spent:.2f}" for spent in middle[2:]),
            f"{statistics.median(pair['load'] for pair in found):.1f}",
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--picture_side", type=int, default=160)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--out", type=Path)
    options = parsed(
        parser, count=64, resolution=32, picture_side=40, width=8, batch_size=4, turns=1,
        ways=["ray"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    show(result)
    keep(options, {"pairs": result})


if __name__ == "__main__":
    main()
