"""One iteration of the GAN recipe beside the plainest loop over the same networks.

    python benchmarks/plain_loop.py [--width 8] [--out results/benchmarks/plain_loop.json]

The plain loop is what a first page of a tutorial has: networks as they are built, `DataLoader`,
one call of the discriminator for each kind of image, the generator's images detached, losses read
after every update, parameters updated and averaged one after the other. All take turns, one
iteration each, so that whatever else the machine does falls on all alike. The memory is the peak
of a process of its own that takes some steps, and what it has before the first.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from record import keep, parsed
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from nda.data.dots import write_dots_archive
from nda.negatives import Jigsaw
from nda.networks import biggan
from nda.objectives.adversarial import hinge_d, hinge_g
from nda.recipes.gan import train as gan
from nda.recipes.gan.config import GanConfig
from nda.runtime.devices import peak_memory
from nda.runtime.seeding import generator_for
from nda.training.launch import launch

PLAIN, OURS, COMPILED = "plain loop", "nda", "nda --compile"
Step = Callable[[], object]


class PlainLoop:
    """Images in, both networks updated; a jigsaw of each image beside the generated ones, or not.

    The discriminator learns from `d_steps` batches, then the generator once, as the recipe does.
    """

    def __init__(self, images: Tensor, config: GanConfig) -> None:
        self.config = config
        torch.manual_seed(0)
        self.generator = biggan.Generator(32, width=config.width, latent_dim=config.latent_dim)
        self.discriminator = biggan.Discriminator(32, width=config.width)
        self.average = biggan.Generator(32, width=config.width, latent_dim=config.latent_dim)
        adam = partial(
            torch.optim.Adam, betas=(config.beta1, config.beta2), eps=config.eps, foreach=False
        )
        self.of_g = adam(self.generator.parameters(), lr=config.lr_g)
        self.of_d = adam(self.discriminator.parameters(), lr=config.lr_d)
        self.batches = self.endless(images)
        self.negative = None if config.negative == "none" else Jigsaw()

    def endless(self, images: Tensor) -> Iterator[Tensor]:
        size = self.config.batch_size
        loader = DataLoader(TensorDataset(images), size, shuffle=True, drop_last=True)
        while True:
            for (some,) in loader:
                yield some / 127.5 - 1

    def generated(self) -> Tensor:
        latents = torch.randn(self.config.batch_size, self.config.latent_dim)
        made: Tensor = self.generator(latents, self.labels)
        return made

    @property
    def labels(self) -> Tensor:
        return torch.zeros(self.config.batch_size, dtype=torch.int64)

    def step(self) -> list[float]:
        losses = []
        for _ in range(self.config.d_steps):
            real = next(self.batches)
            others = [self.generated().detach()]
            if self.negative is not None:
                others.append(self.negative(real))
            logits = [self.discriminator(part, self.labels) for part in (real, *others)]
            loss = hinge_d(*logits, fake_weight=self.config.fake_weight)
            losses.append(self.update(loss, self.of_d))
        loss = hinge_g(self.discriminator(self.generated(), self.labels))
        losses.append(self.update(loss, self.of_g))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.generator.parameters(), strict=True)
            for average, parameter in pairs:
                average.mul_(self.config.ema_decay).add_(parameter, alpha=1 - self.config.ema_decay)
        return losses

    @staticmethod
    def update(loss: Tensor, optimizer: torch.optim.Optimizer) -> float:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()


def stepper(way: str, options: argparse.Namespace, negative: str, data: Path) -> Step:
    """What takes an iteration in that way."""
    config = GanConfig(
        data=str(data), out="unused", network="biggan", width=options.width, device="cpu",
        batch_size=options.batch_size, negative=negative, mixture="weighted", objective="hinge",
        structure_head=False, compile=way == COMPILED,
    )  # fmt: skip
    state = gan.build(config, launch(config))
    if way == PLAIN:
        return PlainLoop(state.images, config).step

    def step() -> None:
        rng = generator_for(0, step=state.step, purpose="train")
        gan.step(state, state.batch(state.step), rng)
        state.step += 1

    return step


def measure(options: argparse.Namespace, negative: str, data: Path) -> list[dict[str, Any]]:
    """A row for each way, whose iterations take turns."""
    steps = {way: stepper(way, options, negative, data) for way in options.ways}
    first = {way: timed(step) for way, step in steps.items()}
    for step in steps.values():
        timed(step)
    found: dict[str, list[float]] = {way: [] for way in steps}
    for _ in range(options.turns):
        for way, step in steps.items():
            found[way].append(timed(step))
    rows = []
    for way, seconds in found.items():
        ratios = [its / mine for mine, its in zip(seconds, found[PLAIN], strict=True)]
        low, median, high = statistics.quantiles(ratios, n=4)
        rows.append({
            "negative": negative, "way": way, "seconds": statistics.median(seconds),
            "times_as_fast": median, "quartiles": [low, high], "first_seconds": first[way],
            "peak_mib": peak_of(way, negative, options),
        })  # fmt: skip
    return rows


def timed(step: Step) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def peak_of(way: str, negative: str, options: argparse.Namespace) -> float:
    """MiB at the peak of a process of its own."""
    words = [sys.executable, __file__, "--alone", way, "--negative", negative]
    for name in ("width", "batch_size", "threads"):
        words += [f"--{name}", str(getattr(options, name))]
    found = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(found.stdout.split()[-1])


def alone(way: str, options: argparse.Namespace, data: Path) -> float:
    step = stepper(way, options, options.negative, data)
    for _ in range(3):
        step()
    return peak_memory(torch.device("cpu"))


def show(rows: list[dict[str, Any]]) -> None:
    table = Table()
    for heading in ("negative", "way", "ms", "times as fast", "quartiles", "first, s", "peak MiB"):
        table.add_column(heading, justify="left" if heading in ("negative", "way") else "right")
    for row in rows:
        low, high = row["quartiles"]
        table.add_row(
            row["negative"], row["way"], f"{1e3 * row['seconds']:.0f}",
            f"{row['times_as_fast']:.2f}", f"{low:.2f} to {high:.2f}",
            f"{row['first_seconds']:.0f}", f"{row['peak_mib']:.0f}",
        )  # fmt: skip
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--ways", nargs="+", default=[PLAIN, OURS, COMPILED])
    parser.add_argument("--negatives", nargs="+", default=["none", "jigsaw"])
    parser.add_argument("--alone", help=argparse.SUPPRESS)  # the peak memory of one way
    parser.add_argument("--negative", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parsed(
        parser, width=1, batch_size=4, threads=1, turns=2, ways=[PLAIN, OURS], negatives=["jigsaw"]
    )
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "dots.zip"
        rng = torch.Generator().manual_seed(0)
        write_dots_archive(archive, {4: 1000}, 32, generator=rng)
        if options.alone:
            print(alone(options.alone, options, archive))
            return
        rows = [row for each in options.negatives for row in measure(options, each, archive)]
    show(rows)
    keep(options, {"rows": rows}, apart=("out", "alone", "negative"))


if __name__ == "__main__":
    main()
