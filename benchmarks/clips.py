"""How fast clips are decoded, read from the cache and transformed, and whether memory stays flat.

    python benchmarks/clips.py VIDEOS [--out results/benchmarks/clips.json]

VIDEOS is a folder or .zip of video files, of which the training split is taken. The measure is
PyAV's bare decoding of the same files, without a look at the frames. Sampling takes a clip of 8
blocks of 5 frames, 3 apart, out of every video: from the files it decodes as far as the clip
reaches, and its rate is that of decoded frames; from the cache it is that of the frames given. All
contenders take turns on one thread. Given are medians over the turns, on the clock and, because
other programs do not count into it, of the processor's time, which the ratios are made of.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table
from torch import Tensor

from nda.data.clips.load import Clips, load_clips
from nda.data.clips.reader import open_videos
from nda.data.clips.sampling import draw_starts, frame_numbers, span
from nda.data.clips.views import ClipViews
from nda.negatives import negative_from_name

BLOCKS, FRAMES, STRIDE = 8, 5, 3  # as published
COUNT = BLOCKS * FRAMES
NEGATIVES = ("jigsaw", "stitch", "cutout", "cutmix", "mixup")
BARE = "PyAV, bare decoding"
# Freed memory is kept in place of being taken from the system, and zeroed, anew at every call.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


class Turn:
    """Frames of one turn and its seconds, on the clock and of the processor."""

    def __init__(self, run: Callable[[int], int], number: int) -> None:
        gc.collect()
        clock, used = time.perf_counter(), time.process_time()
        self.frames = run(number)
        self.processor = time.process_time() - used
        self.clock = time.perf_counter() - clock


def bare(path: Path, names: tuple[str, ...]) -> int:
    """Decode every file with PyAV alone; gives the number of frames."""
    frames = 0
    with open_videos(path) as source:
        for name in names:
            with av.open(io.BytesIO(source.read(name)), "r") as container:
                container.streams.video[0].thread_count = 1
                for _ in container.decode(video=0):
                    frames += 1
    return frames


def epoch(clips: Clips, seed: int, batch: int, threads: int | None, *, decoded: bool) -> int:
    """A clip of every video; gives the frames that were decoded for them, or that were given."""
    starts = draw_starts(
        clips.lengths, span(BLOCKS, FRAMES, STRIDE), torch.Generator().manual_seed(seed)
    )
    for rows in torch.arange(len(clips)).split(batch):
        clips.sample(
            rows,
            blocks=BLOCKS,
            frames_per_block=FRAMES,
            stride=STRIDE,
            starts=starts[rows],
            threads=threads,
        )
    numbers = frame_numbers(starts, clips.lengths, COUNT, STRIDE)
    return int((numbers.amax(1) + 1).sum()) if decoded else numbers.numel()


def reading(options: argparse.Namespace, cache: Path) -> list[dict[str, Any]]:
    """Frames a second of every way to read, with their ratios to bare decoding."""

    def load(number: int, *, cached: bool = True) -> Clips:
        where = cache / str(number)
        return load_clips(
            options.videos, resolution=options.resolution, cache=cached, cache_dir=where
        )

    kept, files = load(0), load(0, cached=False)
    batch = options.batch
    contenders: dict[str, Callable[[int], int]] = {
        BARE: lambda turn: bare(options.videos, kept.names),
        "sampled from the files": lambda turn: epoch(files, turn, batch, 1, decoded=True),
        "sampled from the files, all cores": lambda turn: epoch(
            files, turn, batch, None, decoded=True
        ),
        "sampled from the cache": lambda turn: epoch(kept, turn, batch, 1, decoded=False),
        "first reading: decoded, resized, kept": lambda turn: int(load(turn + 1).lengths.sum()),
    }
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for number in range(options.turns):
        for name, run in contenders.items():
            turns[name].append(Turn(run, number))
    return [rate(name, some, turns[BARE]) for name, some in turns.items()]


def rate(name: str, own: list[Turn], measure: list[Turn]) -> dict[str, Any]:
    def ratio(a: Turn, b: Turn) -> float:
        return (a.frames / a.processor) / (b.frames / b.processor)

    return {
        "way": name,
        "frames": own[0].frames,
        "frames_per_second": statistics.median(turn.frames / turn.clock for turn in own),
        "frames_per_processor_second": statistics.median(
            turn.frames / turn.processor for turn in own
        ),
        "ratio_to_bare": statistics.median(map(ratio, own, measure)),
    }


def transforms(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Milliseconds of every negative and of the views on a batch of clips, and ratios to a copy."""
    side, generator = options.resolution, torch.Generator().manual_seed(0)
    shape = (options.batch, COUNT, 3, side, side)
    clips = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    rows = []
    for kind in ("uint8", "float32"):
        x = clips if kind == "uint8" else clips / 127.5 - 1
        runs: dict[str, Callable[[Tensor], Any]] = {"copy": torch.clone}
        for name in NEGATIVES:
            runs[name] = partial(negative_from_name(name), generator=generator)
        if kind == "uint8":
            runs["views (crop, mirror, colours)"] = partial(ClipViews(), generator=generator)
        for name, (milliseconds, ratio) in compared(runs, x, options.calls).items():
            rows.append(
                {"transform": name, "type": kind, "milliseconds": milliseconds, "ratio": ratio}
            )
    return rows


def compared(
    runs: dict[str, Callable[[Tensor], Any]], x: Tensor, calls: int
) -> dict[str, tuple[float, float]]:
    """Median milliseconds over the turns, and of the ratio to the first contender in each turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(calls + 1):
        for name, run in runs.items():
            run(x)  # finds the caches as the contender before left them
            started = time.process_time()
            run(x)
            if turn:
                times[name].append(1000 * (time.process_time() - started))
    first = next(iter(times.values()))
    return {
        name: (
            statistics.median(own),
            statistics.median(a / b for a, b in zip(own, first, strict=True)),
        )
        for name, own in times.items()
    }


def memory(options: argparse.Namespace, cache: Path) -> dict[str, list[float]]:
    """MiB in use after each epoch, from the cache and from the files."""
    found: dict[str, list[float]] = {}
    for name, cached in (("cache", True), ("files", False)):
        clips = load_clips(
            options.videos, resolution=options.resolution, cache=cached, cache_dir=cache / "0"
        )
        found[name] = []
        for number in range(options.epochs):
            epoch(clips, number, options.batch, None, decoded=False)
            gc.collect()
            found[name].append(resident())
    return found


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def show(found: dict[str, Any], console: Console) -> None:
    table = Table(title="reading, one thread unless said otherwise")
    for heading in ("way", "frames", "frames/s", "frames/s of processor", "x bare decoding"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for each in found["reading"]:
        table.add_row(
            each["way"],
            f"{each['frames']:,}",
            f"{each['frames_per_second']:,.0f}",
            f"{each['frames_per_processor_second']:,.0f}",
            f"{each['ratio_to_bare']:.2f}",
        )
    console.print(table)
    table = Table(title=f"transforms of clips {' x '.join(map(str, found['clips']))}")
    for heading in ("transform", "type", "ms", "x copy"):
        table.add_column(heading, justify="right" if heading in ("ms", "x copy") else "left")
    for each in found["transforms"]:
        ratio, ms = f"{each['ratio']:.2f}", f"{each['milliseconds']:.1f}"
        table.add_row(each["transform"], each["type"], ms, ratio)
    console.print(table)
    for name, each in found["memory_mib"].items():
        console.print(
            f"MiB after each epoch from the {name}: {', '.join(f'{m:.0f}' for m in each)}"
        )


def options_of_user() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--calls", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=Path)
    return parsed(parser, resolution=32, batch=2, turns=2, calls=2, epochs=2)


def main() -> None:
    options = options_of_user()
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ALLOCATOR})
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        found = {
            "av": metadata.version("av"),
            "load_average": os.getloadavg()[0],
            "clips": [options.batch, COUNT, 3, options.resolution, options.resolution],
            "reading": reading(options, Path(cache)),
            "transforms": transforms(options),
            "memory_mib": memory(options, Path(cache)),
        }
    show(found, Console())
    command = f"python benchmarks/clips.py {options.videos.name}"
    keep(options, found, command=command, apart=("videos", "out"))


if __name__ == "__main__":
    main()
