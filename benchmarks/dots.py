"""Time to draw images of dots, and to write them as an archive.

    python benchmarks/dots.py [--images 60000] [--size 64] [--threads 2] [--out FILE]

Drawing is on so many threads; the archive's PNGs are packed on one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console

from nda.data.dots import draw_dots, write_dots_archive

COUNTS = (4, 5, 6, 7)


def measure(images: int, size: int, packed: int) -> dict[str, Any]:
    """Seconds to draw all images, and to draw and pack some of them."""
    rng = torch.Generator().manual_seed(0)
    draw_dots(torch.full((1024,), max(COUNTS)), size, generator=rng)  # warm up
    counts = torch.tensor(COUNTS).repeat_interleave(-(-images // len(COUNTS)))[:images]
    started, used = time.perf_counter(), time.process_time()
    for chunk in counts.split(10_000):
        draw_dots(chunk, size, generator=rng)
    drawing = {"wall": time.perf_counter() - started, "cpu": time.process_time() - used}
    with tempfile.TemporaryDirectory() as folder:
        each = dict.fromkeys(COUNTS, packed // len(COUNTS))
        started, used = time.perf_counter(), time.process_time()
        write_dots_archive(Path(folder) / "dots.zip", each, size, generator=rng)
        archive = {"wall": time.perf_counter() - started, "cpu": time.process_time() - used}
    return {
        "images_drawn": images,
        "seconds_to_draw": drawing,
        "images_packed": sum(each.values()),
        "seconds_to_draw_and_pack": archive,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--packed", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, images=100, size=32, packed=8, threads=1)
    torch.set_num_threads(options.threads)
    found = measure(options.images, options.size, options.packed)
    Console().print_json(json.dumps(found))
    keep(options, found)


if __name__ == "__main__":
    main()
