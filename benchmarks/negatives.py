"""Time of every negative, beside a plain copy of the batch and the peers' nearest transforms.

    python benchmarks/negatives.py [--device cpu] [--out results/benchmarks/negatives.json]

All contenders take turns, in another order each turn, so that whatever else the machine does falls
on all alike. A turn is several calls in a row, as in a training loop of one transform; the first of
them finds the caches as the contender before left them and is not counted. Given are medians over
the turns and, turn by turn, the ratio to a copy of the same batch; the draws for each sample are
part of the time. On the CPU the script starts itself again with the allocator
told to keep freed memory, for every contender: otherwise each large result would first have its
pages handed out by the kernel, which takes longer than most of the transforms.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table
from torch import Tensor

from nda.negatives import negative_from_name

# glibc accepts 32 MiB at most as the size from which on memory is mapped afresh.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
SIZES = [(256, 3, 32, 32), (64, 3, 128, 128)]
DTYPES = [torch.float32, torch.uint8]
NEGATIVES = [
    "jigsaw",
    "jigsaw:seam=feather",
    "jigsaw:seam=poisson",
    "jigsaw:offset=random",
    "jigsaw:edge=wavy",
    "stitch",
    "stitch:seam=feather",
    "stitch:seam=poisson",
    "cutout",
    "cutmix",
    "cutmix:seam=feather",
    "cutmix:seam=poisson",
    "blemish",
    "blemish:seam=feather",
    "crack",
    "scar",
    "stain",
    "texture",
    "paste",
    "missing",
    "mixup",
    "jigsaw+stitch",
    "horizontal_flip",
    "random_crop",
    "gaussian_noise",
]
# The processor's, on the CPU alone: what other programs take of it meanwhile is not counted.
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
PACKAGES = ["kornia", "torchvision", "timm"]


@dataclass(frozen=True)
class Contender:
    """One transform. `per_sample` is None where nothing is drawn."""

    name: str
    source: str
    per_sample: bool | None
    run: Callable[[Tensor], Any]


@dataclass(frozen=True)
class Setting:
    """What all contenders of one table have in common."""

    shape: tuple[int, ...]
    dtype: str
    threads: int


@dataclass(frozen=True)
class Row:
    """Measured times of one contender in one setting; none where it refuses the batch."""

    setting: Setting
    name: str
    source: str
    per_sample: bool | None
    refusal: str = ""
    seconds: float | None = None
    ratio: float | None = None  # to the copy: median over the turns
    bandwidth_share: float | None = None  # of the card's measured copy bandwidth; on a GPU only


def ours(device: torch.device) -> list[Contender]:
    rng = torch.Generator(device).manual_seed(0)
    contenders = [Contender("copy", "torch", None, torch.clone)]
    for name in NEGATIVES:
        run = partial(negative_from_name(name).to(device), generator=rng)
        draws = None if name == "horizontal_flip" else True
        contenders.append(Contender(name, "nda", draws, run))
    return contenders


def from_kornia() -> list[Contender]:
    augmentation = importlib.import_module("kornia.augmentation")
    inputs = {"p": 1.0, "data_keys": ["input"]}
    transforms = {
        "RandomJigsaw(2x2)": augmentation.RandomJigsaw(grid=(2, 2), p=1.0),
        "RandomErasing": augmentation.RandomErasing(p=1.0, scale=(1 / 9, 1 / 4)),
        "RandomCutMixV2": augmentation.RandomCutMixV2(**inputs),
        "RandomMixUpV2": augmentation.RandomMixUpV2(**inputs),
    }
    return [Contender(name, "kornia", True, run) for name, run in transforms.items()]


def from_torchvision() -> list[Contender]:
    v2 = importlib.import_module("torchvision.transforms.v2")
    transforms = {
        "RandomErasing": v2.RandomErasing(p=1.0, scale=(1 / 9, 1 / 4)),
        "CutMix": with_labels(v2.CutMix(num_classes=10)),
        "MixUp": with_labels(v2.MixUp(num_classes=10)),
    }
    return [Contender(name, "torchvision", False, run) for name, run in transforms.items()]


def from_timm() -> list[Contender]:
    mixup = importlib.import_module("timm.data").Mixup
    contenders = []
    for mode in ("batch", "elem"):
        for name, chances in {"cutmix": (0.0, 1.0), "mixup": (1.0, 0.0)}.items():
            mix = with_labels(mixup(*chances, mode=mode, num_classes=10))
            contenders.append(Contender(f"{name}, {mode}", "timm", mode == "elem", mix))
    return contenders


def with_labels(mix: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor], Any]:
    """For mixes that ask for labels and blend these too; ten classes make that next to nothing."""
    return lambda x: mix(x, torch.zeros(len(x), dtype=torch.int64, device=x.device))


def all_contenders(device: torch.device) -> tuple[list[Contender], list[str]]:
    """Everyone there is, and the packages that are not installed."""
    contenders, absent = ours(device), []
    for package, build in zip(PACKAGES, (from_kornia, from_torchvision, from_timm), strict=True):
        try:
            contenders += build()
        except ImportError:
            absent.append(package)
    return contenders, absent


def batch(setting: Setting, device: torch.device) -> Tensor:
    values = torch.randint(256, setting.shape, generator=torch.Generator().manual_seed(0))
    if setting.dtype == "uint8":
        return values.to(torch.uint8).to(device)
    return (values / 127.5 - 1).to(device)


def refusal_of(contender: Contender, x: Tensor, warm_up: int) -> str:
    """Why this contender cannot take the batch; empty, and the contender warm, where it can."""
    try:
        for _ in range(warm_up):
            contender.run(x.clone())
    except (TypeError, ValueError, RuntimeError) as error:
        return str(error).splitlines()[0]
    return ""


def timed(contender: Contender, x: Tensor, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds by the clock; on a GPU from an idle device until it is idle again."""
    if x.is_cuda:
        torch.cuda.synchronize()
    started = clock()
    contender.run(x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return clock() - started


def copy_bandwidth(device: torch.device) -> float | None:
    """Bytes a second, read and written, of the best of 20 copies of 1 GiB; None off a GPU."""
    if device.type != "cuda":
        return None
    source = torch.zeros(2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = Contender("copy_", "torch", None, target.copy_)
    return 2 * source.nbytes / min(timed(copy, source) for _ in range(20))


def measure(
    contenders: list[Contender], setting: Setting, device: torch.device, options: argparse.Namespace
) -> list[Row]:
    x = batch(setting, device)
    refusals = [refusal_of(contender, x, options.warm_up) for contender in contenders]
    willing = [c for c, refusal in zip(contenders, refusals, strict=True) if not refusal]
    clock = CLOCKS[options.clock]
    times = turns(willing, x, count=options.turns, calls=options.calls, clock=clock)
    bandwidth = copy_bandwidth(device)
    rows = []
    for contender, refusal in zip(contenders, refusals, strict=True):
        row = Row(setting, contender.name, contender.source, contender.per_sample, refusal)
        if not refusal:
            seconds, ratio = summary(times[contender], times[contenders[0]])
            share = 2 * x.nbytes / seconds / bandwidth if bandwidth else None
            row = replace(row, seconds=seconds, ratio=ratio, bandwidth_share=share)
        rows.append(row)
    return rows


def turns(
    contenders: list[Contender],
    x: Tensor,
    *,
    count: int,
    calls: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Contender, list[float]]:
    """Seconds of a call of every contender in every turn."""
    times: dict[Contender, list[float]] = {contender: [] for contender in contenders}
    scratch = x.clone()  # timm writes into its input
    order, shuffle = list(contenders), random.Random(0).shuffle
    for _ in range(count):
        shuffle(order)
        for contender in order:
            own_input = scratch if contender.source == "timm" else x
            seconds = [timed(contender, own_input, clock) for _ in range(calls)]
            times[contender].append(statistics.median(seconds[1:]))
    return times


def summary(own: list[float], copy: list[float]) -> tuple[float, float]:
    """Median time, and median over the turns of its ratio to the copy."""
    ratios = [mine / its for mine, its in zip(own, copy, strict=True)]
    return statistics.median(own), statistics.median(ratios)


def show(rows: list[Row], console: Console) -> None:
    setting = rows[0].setting
    shape = " x ".join(map(str, setting.shape))
    table = Table(title=f"{shape}, {setting.dtype}, threads: {setting.threads}")
    for heading in ("transform", "from", "draws per sample", "ms", "x copy", "bandwidth"):
        numeric = heading in ("ms", "x copy", "bandwidth")
        table.add_column(heading, justify="right" if numeric else "left")
    for each in rows:
        table.add_row(each.name, each.source, *cells(each))
    console.print(table)


def cells(row: Row) -> tuple[str, str, str, str]:
    draws = {True: "yes", False: "no, per batch", None: "nothing drawn"}[row.per_sample]
    if row.seconds is None:
        return draws, "refused", "", ""
    share = f"{row.bandwidth_share:.0%}" if row.bandwidth_share else ""
    return draws, f"{1e3 * row.seconds:.3f}", f"{row.ratio:.2f}", share


def report(rows: list[Row], absent: list[str]) -> dict[str, Any]:
    return {
        "versions": {name: metadata.version(name) for name in PACKAGES if name not in absent},
        "absent": absent,
        "allocator": {name: os.environ.get(name) for name in ALLOCATOR},
        "note": "timm writes into its input and so makes no copy; all others return a new batch",
        "rows": [asdict(row) for row in rows],
    }


def keep_freed_memory() -> None:
    """Start again with the allocator's settings, which are read only when a process begins."""
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ALLOCATOR})


def options_of_user() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--calls", type=int, default=6)
    parser.add_argument("--warm_up", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--out", type=Path)
    return parsed(parser, threads=[1], turns=2, calls=2, warm_up=1)


def main() -> None:
    options = options_of_user()
    keep_freed_memory()
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # of the peers
    torch.manual_seed(0)
    device, console = torch.device(options.device), Console()
    contenders, absent = all_contenders(device)
    if absent:
        console.print(f"not installed, and so left out: {', '.join(absent)}")
    rows: list[Row] = []
    for threads in options.threads if device.type == "cpu" else options.threads[:1]:
        torch.set_num_threads(threads)
        for shape in [(4, 3, 32, 32)] if options.quick else SIZES:
            for dtype in DTYPES:
                setting = Setting(shape, str(dtype).removeprefix("torch."), threads)
                measured = measure(contenders, setting, device, options)
                show(measured, console)
                rows += measured
    keep(options, report(rows, absent))


if __name__ == "__main__":
    main()
