"""Time and memory of one step of MoCo, with and without negatives, beside lightly's modules.

    python benchmarks/moco_step.py [--width 16] [--batch_size 128] [--device cpu] [--out FILE]

All variants have the same encoder, batch, queue and views, which are made beforehand: what it takes
to make them is a row of its own, as batches here and image by image as lightly's transform does.
Times are of the processor (on a GPU, of the clock).
Variants take turns, one step each, so that whatever else the machine does falls on all alike;
medians over the turns. Memory is the peak of a process that runs one variant alone. Batch norm is
not split, which lightly does not offer; a row shows what splitting costs.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import MoCoProjectionHead
from lightly.models.utils import (
    batch_shuffle,
    batch_unshuffle,
    deactivate_requires_grad,
    update_momentum,
)
from lightly.transforms.moco_transform import MoCoV2Transform
from PIL import Image
from record import keep, parsed
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from nda.data.augment.views import Views
from nda.networks.resnet import build_encoder, feature_dim
from nda.recipes.moco import train as moco
from nda.recipes.moco.config import MocoConfig
from nda.recipes.moco.train import MocoState
from nda.runtime.devices import peak_memory
from nda.runtime.seeding import generator_for
from nda.training.launch import launch

DIM, QUEUE, MOMENTUM, TEMPERATURE = 128, 4096, 0.99, 0.1
LIGHTLY, PLAIN = "lightly", "none"
APART = ("out", "alone", "quick")  # options that are no settings of what is measured
VARIANTS: dict[str, dict[str, Any]] = {
    LIGHTLY: {},
    PLAIN: {"negative": "none"},
    "none, batch norm in 4 parts": {"negative": "none", "bn_splits": 4},
    "own negative, joint": {},
    "own negative, separate": {"joint_forward": False},
    "a quarter, queued": {"negatives_from": "queue", "negative_fraction": 0.25},
}
Step = Callable[[int], Any]


@dataclass(frozen=True)
class Row:
    """One variant; `relative` is its time over that of the plain one, turn by turn."""

    variant: str
    seconds: float  # median of a step
    relative: float  # median of the ratios
    memory_mib: float | None  # peak of a process of its own


class Prepared:
    """Stands in the place of a recipe's views: gives tensors that were made before."""

    def __init__(self, views: tuple[Tensor, Tensor]) -> None:
        self.views = views
        self.turn = 0

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        del images, generator
        self.turn += 1
        return self.views[self.turn % 2]


def our_step(options: argparse.Namespace, data: Path, changes: dict[str, Any]) -> Step:
    state = build(options, data, changes)
    prepared: Any = Prepared(make_views(options))
    state.views = prepared

    def step(turn: int) -> None:
        rng = generator_for(0, step=turn, purpose="train", device=options.device)
        moco.step(state, state.batch(turn), rng)
        state.step += 1

    return step


def lightly_step(options: argparse.Namespace) -> Step:
    """A step as in lightly's own example of MoCo."""
    features = feature_dim(options.network, options.width)
    backbone = build_encoder(options.network, width=options.width).to(options.device)
    head = MoCoProjectionHead(features, features, DIM).to(options.device)
    key_backbone, key_head = copy.deepcopy(backbone), copy.deepcopy(head)
    deactivate_requires_grad(key_backbone)
    deactivate_requires_grad(key_head)
    criterion = NTXentLoss(temperature=TEMPERATURE, memory_bank_size=(QUEUE, DIM))
    criterion.to(options.device)
    weights = [*backbone.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(weights, lr=0.06, momentum=0.9, weight_decay=1e-4)
    views = make_views(options)

    def step(turn: int) -> None:
        del turn
        update_momentum(backbone, key_backbone, m=MOMENTUM)
        update_momentum(head, key_head, m=MOMENTUM)
        query = head(backbone(views[0]).flatten(1))
        with torch.no_grad():
            shuffled, order = batch_shuffle(views[1])
            key = batch_unshuffle(key_head(key_backbone(shuffled).flatten(1)), order)
        loss = criterion(query, key)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def build(options: argparse.Namespace, data: Path, changes: dict[str, Any]) -> MocoState:
    config = MocoConfig(
        data=str(data),
        out="unused",
        resolution=options.resolution,
        network=options.network,
        width=options.width,
        dim=DIM,
        batch_size=options.batch_size,
        queue_size=QUEUE,
        temperature=TEMPERATURE,
        key_momentum=MOMENTUM,
        device=options.device,
        precision="32-true",
        **{"bn_splits": 1, **changes},
    )
    config.check()
    return moco.build(config, launch(config))


def make_views(options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    shape = (options.batch_size, 3, options.resolution, options.resolution)
    one, two = (
        torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in (0, 1)
    )
    return tuple(moco.channels_last(x.to(options.device)) for x in (one, two))  # type: ignore[return-value]


def measure(options: argparse.Namespace, data: Path) -> list[Row]:
    """Interleaved steps of all variants, then the memory of each."""
    steps = {name: stepper(options, data, name) for name in VARIANTS}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(-options.warm_up, options.turns):
        for name, step in steps.items():
            seconds = timed(partial(step, max(turn, 0)), options.device)
            if turn >= 0:
                times[name].append(seconds)
    rows = []
    for name, found in times.items():
        relative = [mine / plain for mine, plain in zip(found, times[PLAIN], strict=True)]
        # One is enough to see that it can be taken.
        taken = not options.quick or name == PLAIN
        memory = memory_of(options, name) if taken else None
        rows.append(Row(name, statistics.median(found), statistics.median(relative), memory))
    return rows + view_rows(options, statistics.median(times[PLAIN]))


def stepper(options: argparse.Namespace, data: Path, name: str) -> Step:
    if name == LIGHTLY:
        return lightly_step(options)
    return our_step(options, data, VARIANTS[name])


def view_rows(options: argparse.Namespace, plain: float) -> list[Row]:
    """Two views of a batch: ours of all images at once, lightly's image by image on the CPU."""
    shape = (options.batch_size, 3, options.resolution, options.resolution)
    images = torch.randint(256, shape, dtype=torch.uint8)
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
    mine, theirs = Views(), MoCoV2Transform(input_size=options.resolution)
    on_device = images.to(options.device)
    rows = []
    for name, work in (
        ("two views, ours", lambda: [mine(on_device) for _ in range(2)]),
        ("two views, lightly", lambda: [theirs(picture) for picture in pictures]),
    ):
        found = [timed(work, options.device) for _ in range(options.turns // 3 + 2)][1:]
        rows.append(Row(name, statistics.median(found), statistics.median(found) / plain, None))
    return rows


def timed(work: Callable[[], Any], device: str) -> float:
    """Seconds; of the processor where there is no GPU, so that a busy machine does not count."""
    clock = time.perf_counter if device.startswith("cuda") else time.process_time
    started = clock()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return clock() - started


def memory_of(options: argparse.Namespace, name: str) -> float:
    """MiB at the peak of a process that runs three steps of one variant."""
    words = [f"--{key}={value}" for key, value in vars(options).items() if key not in APART]
    command = [sys.executable, __file__, *words, f"--alone={name}"]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(found.stdout)


def write_noise(folder: Path, options: argparse.Namespace) -> None:
    """Images of noise: only their size matters."""
    for index in range(2 * options.batch_size):
        draws = np.random.default_rng(index)
        shape = (options.resolution, options.resolution, 3)
        Image.fromarray(draws.integers(0, 256, shape).astype(np.uint8)).save(
            folder / f"{index:03d}.png"
        )


def show(rows: list[Row]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)  # fits 80 columns
    for heading in ("variant", "ms a step", "relative", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    for row in rows:
        memory = "" if row.memory_mib is None else f"{row.memory_mib:,.0f}"
        table.add_row(row.variant, f"{1e3 * row.seconds:.1f}", f"{row.relative:.3f}", memory)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="cifar_resnet18")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--warm_up", type=int, default=2)
    parser.add_argument("--alone", choices=VARIANTS, help="print the memory of one variant")
    parser.add_argument("--out", type=Path)
    options = parsed(parser, width=8, batch_size=32, turns=2, warm_up=1)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        write_noise(Path(folder), options)
        if options.alone:
            step = stepper(options, Path(folder), options.alone)
            for turn in range(3):
                step(turn)
            print(peak_memory(torch.device(options.device)))
            return
        rows = measure(options, Path(folder))
    show(rows)
    keep(options, {"rows": [asdict(row) for row in rows]}, apart=APART)


if __name__ == "__main__":
    main()
