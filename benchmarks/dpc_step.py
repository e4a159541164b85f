"""Time of one step of the dpc recipe without and with negatives, and where it goes.

    python benchmarks/dpc_step.py [--resolution 64] [--width 16] [--device cpu] [--out FILE]

Runs without a negative and with each of some take turns, one step each, so that whatever else the
machine does falls on all alike; medians over the turns. A negative's cost is its own making and
the encoding of its last blocks, 3 of 8 by design. Clips are noise in memory: only their size
matters. On a processor the time is that of the process, which others on the machine do not
lengthen by taking turns with it; on a GPU it is that of the clock.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from record import keep, parsed
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from nda.data.clips.batches import in_blocks
from nda.negatives import negative_from_name
from nda.networks.dpc import DensePredictor
from nda.objectives.dense_predictive import dense_accuracies, dense_scores, loss_of
from nda.recipes.dpc.config import DpcConfig
from nda.recipes.video.load import views_of

PARTS = ("views", "negatives", "forward", "scores", "update")
NEGATIVES = ("none", "jigsaw", "stitch", "cutout", "cutmix", "mixup")


@dataclass(frozen=True)
class Row:
    """Measured times of one variant; `ratio` is to a step without negatives."""

    negative: str
    seconds: float  # median of a whole step
    ratio: float
    clips_per_second: float
    parts: dict[str, float]  # median seconds


class Variant:
    """A run with one negative, step by step as in `nda.recipes.dpc.train.step`."""

    def __init__(self, options: argparse.Namespace, negative: str) -> None:
        self.config = DpcConfig(
            data="unused",
            out="unused",
            negative=negative,
            resolution=options.resolution,
            width=options.width,
            network=options.network,
            batch_size=options.batch_size,
        )
        self.device = torch.device(options.device)
        self.views = views_of(self.config)
        self.negative = None if negative == "none" else negative_from_name(negative)
        torch.manual_seed(0)
        self.network = DensePredictor(options.network, width=options.width).to(self.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=True)
        self.draws = torch.Generator(self.device).manual_seed(0)
        self.autocast = torch.autocast(
            self.device.type, torch.bfloat16, enabled=options.precision == "bf16-mixed"
        )

    def step(self, clips: Tensor) -> dict[str, float]:
        """Seconds of each part of a step."""
        config, marks = self.config, [self.now()]
        x = self.views(clips, generator=self.draws)
        marks.append(self.now())
        negative = None
        if self.negative is not None:
            last = x[:, -config.predict * config.frames :]
            negative = in_blocks(self.negative(last, generator=self.draws), config.frames)
        marks.append(self.now())
        with self.autocast:
            predicted, target, made = self.network(in_blocks(x, config.frames), negative)
        marks.append(self.now())
        scores = dense_scores(predicted, target, made)
        loss = loss_of(scores)
        dense_accuracies(scores)
        marks.append(self.now())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        marks.append(self.now())
        return {part: b - a for part, a, b in zip(PARTS, marks[:-1], marks[1:], strict=True)}

    def now(self) -> float:
        if self.device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def measure(options: argparse.Namespace) -> list[Row]:
    """Interleaved steps of all variants on the same clips."""
    variants = {name: Variant(options, name) for name in options.negatives.split(",")}
    side, frames = options.resolution, 40
    clips = torch.randint(256, (options.batch_size, frames, 3, side, side), dtype=torch.uint8)
    clips = clips.to(options.device)
    times: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    for turn in range(-options.warm_up, options.turns):
        for name, variant in variants.items():
            seconds = variant.step(clips)
            if turn >= 0:
                times[name].append(seconds)
    whole = {n: statistics.median(sum(s.values()) for s in steps) for n, steps in times.items()}
    return [
        Row(
            name,
            whole[name],
            # Turn by turn: what slows the machine falls on both.
            statistics.median(
                sum(mine.values()) / sum(plain.values())
                for mine, plain in zip(steps, times["none"], strict=True)
            ),
            options.batch_size / whole[name],
            {part: statistics.median(step[part] for step in steps) for part in PARTS},
        )
        for name, steps in times.items()
    ]


def show(rows: list[Row]) -> None:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)  # fits 80 columns
    for heading in ("negative", "ms a step", "ratio", "clips/s", *PARTS):
        table.add_column(heading, justify="left" if heading == "negative" else "right")
    for row in rows:
        parts = (f"{1e3 * row.parts[part]:.0f}" for part in PARTS)
        figures = (f"{1e3 * row.seconds:.0f}", f"{row.ratio:.3f}", f"{row.clips_per_second:.1f}")
        table.add_row(row.negative, *figures, *parts)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--negatives", default=",".join(NEGATIVES), help="none must be first")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--warm_up", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parsed(parser, width=8, batch_size=2, negatives="none,jigsaw", turns=2, warm_up=1)
    torch.set_num_threads(options.threads)
    rows = measure(options)
    show(rows)
    keep(options, {"rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
