"""Throughput and memory of `nda score`, beside the bare network and the bare decoder.

    python benchmarks/score.py [--out results/benchmarks/score.json]

An untrained detector of the usual size scores zips of JPEG files. The bare network gets batches
that lie ready in memory; the bare decoder decodes, resizes and batches the same files without a
network. Each number of images is scored by a process of its own, whose peak memory is taken.
"""

from __future__ import annotations

import argparse
import io
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from record import keep, parsed
from rich.console import Console
from rich.table import Table

from nda.data.images.stream import open_stream
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    save_detector,
)

DIFFERENT = 500  # pictures; a zip repeats them under other names
CHILD = """
import sys, time
from nda.runtime.idle_threads import sleep_when_idle
sleep_when_idle()  # as the command does before it loads torch
import torch
from nda.cli import main
import nda.api.score.images
from nda.runtime.devices import peak_memory
started = time.perf_counter()
code = main(sys.argv[1:])
peak = peak_memory(torch.device("cpu"))
print(f"seconds={time.perf_counter() - started:.3f} peak_mib={peak:.1f}")
sys.exit(code)
"""


def pictures(side: int) -> list[bytes]:
    """Textured JPEG files of side x 3/4 side pixels, about as large as photographs of surfaces."""
    draws = np.random.default_rng(0)
    files = []
    for _ in range(DIFFERENT):
        coarse = Image.fromarray(draws.integers(60, 190, (12, 16, 3), np.uint8))
        smooth = np.asarray(coarse.resize((side, side * 3 // 4), Image.Resampling.BICUBIC))
        noisy = smooth + draws.normal(0, 6, smooth.shape)
        buffer = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=87)
        files.append(buffer.getvalue())
    return files


def write_zip(path: Path, count: int, files: list[bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(count):
            archive.writestr(f"{index:06d}.jpg", files[index % len(files)])


def detector_file(path: Path, side: int, width: int) -> Detector:
    settings = DetectorSettings(side, "stretch", "plain", width, "blemish", 0.01, 0, "none")
    detector = Detector(build_network("plain", width), torch.linspace(-5, 5, 110), settings)
    save_detector(path, detector)
    return detector


@torch.no_grad()
def bare_network(detector: Detector, batch_size: int, turns: int) -> float:
    """Images a second of the network alone; the median over the turns."""
    images = torch.randint(256, (batch_size, 3, *[detector.settings.resolution] * 2))
    images = images.to(torch.uint8)
    detector(images)
    seconds = []
    for _ in range(turns):
        started = time.perf_counter()
        detector(images)
        seconds.append(time.perf_counter() - started)
    return batch_size / statistics.median(seconds)


def bare_decoder(path: Path, side: int, batch_size: int) -> float:
    """Images a second of reading alone."""
    started, count = time.perf_counter(), 0
    with open_stream(path) as stream:
        for batch in stream.batches(batch_size, side, "stretch"):
            count += len(batch.images)
    return count / (time.perf_counter() - started)


def scored(detector: Path, images: Path, batch_size: int, out: Path) -> tuple[float, float]:
    """Seconds after the imports, and peak memory in MiB, of `nda score` in its own process."""
    words = ["score", str(detector), str(images), "--out", str(out), "--device", "cpu"]
    words += ["--batch_size", str(batch_size)]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words], capture_output=True, text=True, check=True
    )
    found = re.search(r"seconds=([\d.]+) peak_mib=([\d.]+)", done.stdout)
    assert found is not None
    return float(found.group(1)), float(found.group(2))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    files = pictures(options.picture_side)
    detector = detector_file(folder / "detector.safetensors", options.resolution, options.width)
    rows = []
    for count in options.counts:
        path = folder / f"{count}.zip"
        write_zip(path, count, files)
        out = folder / f"{count}.csv"
        seconds, peak = scored(folder / "detector.safetensors", path, options.batch_size, out)
        rows.append({"images": count, "images_per_second": count / seconds, "peak_mib": peak})
    smallest = folder / f"{options.counts[0]}.zip"
    return {
        "bare_network": bare_network(detector, options.batch_size, options.turns),
        "bare_network_of_32": bare_network(detector, 32, options.turns),
        "bare_decoder": bare_decoder(smallest, options.resolution, options.batch_size),
        "scored": rows,
    }


def show(result: dict[str, Any]) -> None:
    table = Table(title="nda score")
    for heading in ("what", "images", "images/s", "of the bare network", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    bare = result["bare_network"]
    for name in ("bare_network", "bare_network_of_32", "bare_decoder"):
        speed = result[name]
        table.add_row(name.replace("_", " "), "", f"{speed:.0f}", f"{speed / bare:.2f}", "")
    for row in result["scored"]:
        speed = row["images_per_second"]
        cells = (
            f"{row['images']}",
            f"{speed:.0f}",
            f"{speed / bare:.2f}",
            f"{row['peak_mib']:.0f}",
        )
        table.add_row("nda score", *cells)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 60_000])
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--picture_side", type=int, default=160)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parsed(
        parser, counts=[64], resolution=32, picture_side=40, width=8, batch_size=32, turns=2
    )
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    show(result)
    keep(options, {"threads": torch.get_num_threads()} | result)


if __name__ == "__main__":
    main()
