"""Memory of a run whose images are more than memory should hold, beside the size of the set.

    python benchmarks/large_sets.py [--images 500 2000 6000] [--out FILE]

Photographs are made up, as JPEGs in a folder, and `nda train anomaly` decodes, splits, caches and
trains on them in a process of its own. Told is the most memory that was the process's own (Linux's
RssAnon): what is mapped from files can be dropped by the system at any time and is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record import keep, parsed
from rich.console import Console


def write_photographs(folder: Path, count: int, side: int) -> None:
    """Images that are no copies of each other."""
    folder.mkdir(parents=True)
    for index in range(count):
        small = np.random.default_rng(index).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
        image.save(folder / f"{index:06d}.jpg", quality=80)


def own_memory(process: int) -> int:
    """KiB of memory that no file stands behind; 0 once the process is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    found = [int(line.split()[1]) for line in lines if line.startswith("RssAnon")]
    return found[0] if found else 0


def watched(words: list[str], *, cache: str) -> tuple[int, float]:
    """A run of `nda` on one thread: the most KiB that were its own, and its seconds."""
    environment = os.environ | {"NDA_CACHE": cache, "OMP_NUM_THREADS": "1"}
    started, most = time.perf_counter(), 0
    process = subprocess.Popen(
        [sys.executable, "-m", "nda", *words], env=environment, stdout=subprocess.DEVNULL
    )
    while process.poll() is None:
        most = max(most, own_memory(process.pid))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"nda {' '.join(words)} ended with {process.returncode}")
    return most, time.perf_counter() - started


def measure(count: int, side: int, steps: int) -> dict[str, Any]:
    """One run on `count` images of `side` pixels."""
    with tempfile.TemporaryDirectory() as place:
        write_photographs(Path(place, "photographs"), count, side)
        words = ["train", "anomaly", "--data", f"{place}/photographs", "--out", f"{place}/run"]
        words += ["--method", "negatives", "--backbone", "plain", "--resolution", str(side)]
        words += ["--width", "4", "--batch_size", "4", "--steps", str(steps), "--device", "cpu"]
        most, seconds = watched(words, cache=f"{place}/cache")
    return {
        "images": count,
        "side": side,
        "set_mib": round(3 * side * side * count / 2**20),
        "own_memory_mib": round(most / 2**10),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[500, 2000, 6000])
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, images=[40], side=32, steps=1)
    rows = []
    for count in options.images:
        rows.append(measure(count, options.side, options.steps))
        Console().print_json(json.dumps(rows[-1]))
    keep(options, {"rows": rows})


if __name__ == "__main__":
    main()
