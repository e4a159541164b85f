"""How fast scenes of CLEVR are drawn and rendered on one core, and how large their noise is.

    python benchmarks/clevr.py [--out results/benchmarks/clevr.json]
    python benchmarks/clevr.py --picture docs/images/clevr.png

Times are of the processor, so that a busy machine does not count. The noise is half the root mean
square difference of two pictures of a scene with other paths of light, times the square root of 2.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import parsed
from rich.console import Console
from rich.table import Table

from nda.data.clevr.draw import scene_of
from nda.data.clevr.render import SAMPLES, render, renderer
from nda.data.clevr.scene import Scene
from nda.report.pictures.grid import image_grid, save_png


def seconds_each(work: Callable[..., object], tasks: list[tuple[Any, ...]]) -> float:
    work(*tasks[0])
    started = time.process_time()
    for task in tasks:
        work(*task)
    return (time.process_time() - started) / len(tasks)


def noise(scenes: list[Scene], size: int) -> float:
    squares = []
    for scene in scenes:
        first, second = (render(scene, size, seed=seed).astype(float) for seed in (0, 1))
        squares.append(((first - second) ** 2).mean() / 2)
    return math.sqrt(float(np.mean(squares)))


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for count in options.counts:
        scenes = [scene_of(count, index, seed=0) for index in range(options.scenes)]
        drawing = seconds_each(scene_of, [(count, index, 1) for index in range(options.scenes)])
        rendering = seconds_each(render, [(scene, options.size) for scene in scenes])
        rows.append(
            {
                "objects": count,
                "drawing_ms": 1000 * drawing,
                "rendering_ms": 1000 * rendering,
                "images_per_second_and_core": 1 / (drawing + rendering),
                "noise_levels": noise(scenes[:10], options.size),
            }
        )
    return rows


def write_picture(path: Path) -> None:
    """A grid of scenes: the number of objects grows from row to row."""
    pictures = [
        render(scene_of(count, index, seed=0), 96) for count in range(5) for index in range(7)
    ]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    save_png(image_grid(images, 7, scale=1, row_labels=[str(count) for count in range(5)]), path)


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="scenes of CLEVR")
    for heading in ("objects", "drawing ms", "rendering ms", "images/s a core", "noise of 255"):
        table.add_column(heading, justify="right")
    for row in rows:
        objects, *others = row.values()
        table.add_row(str(objects), *(f"{value:.1f}" for value in others))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[0, 1, 2, 3, 4, 6, 8, 10])
    parser.add_argument("--scenes", type=int, default=30)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path, help="write a grid of scenes, and measure nothing")
    options = parsed(parser, counts=[2], scenes=2, size=16)
    if options.picture:
        write_picture(options.picture)
        return
    rows = measure(options)
    show(rows)
    if options.out:
        about = {
            "command": f"python benchmarks/clevr.py --out {options.out}",
            "mitsuba": renderer().__version__,
            "samples": SAMPLES,
            "size": options.size,
            "scenes": options.scenes,
            "cores": os.cpu_count(),
            "machine": platform.machine(),
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
