"""What the quickstart measures: how many dots each image has, and how varied the dots are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table as Terminal
from torch import Tensor

from nda.data import load_images
from nda.evaluation.counting.dots import count_dots, dot_diversity
from nda.evaluation.counting.metrics import count_histogram, count_metrics
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.record import Evaluation, Protocol
from nda.recipes.gan.load import load_sampler
from nda.report.pages.compare import Table
from nda.report.pages.run import write_report
from nda.runtime.files import write_text_atomically
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.api.settings import QuickstartOptions

HEADER = ("images", "exact", "95 %", "count", "hues", "colour", "places")
NOTE = (
    "Exact: share of images with the right number of dots, and its Wilson interval; then mean "
    "count and standard deviation. Variety: entropy in bits over 12 hues, mean saturation, and "
    "entropy over 4 × 4 places of single dots. If counting improves while variety falls, the gain "
    "came at the expense of variety."
)


@dataclass(frozen=True)
class Counted:
    """Counts and variety of one set of images."""

    title: str
    images: int
    exact: int
    interval: tuple[float, float]  # of the share of exact images, 95 %, Wilson
    mean: float
    deviation: float
    histogram: list[int]  # images with 0, 1, 2, ... dots
    hue_entropy: float  # bits, at most log2(12)
    saturation: float
    position_entropy: float  # bits, at most 4

    def cells(self) -> tuple[str, ...]:
        """The row of a table, in the order of HEADER."""
        low, high = self.interval
        return (
            self.title,
            f"{self.exact / self.images:.1%}",
            f"{100 * low:.1f}–{high:.1%}",
            f"{self.mean:.2f} ± {self.deviation:.2f}",
            f"{self.hue_entropy:.2f}",
            f"{self.saturation:.2f}",
            f"{self.position_entropy:.2f}",
        )


def measure(title: str, images: Tensor, wanted: int) -> Counted:
    """Count the dots of images, uint8 `(N, 3, H, W)`, of which `wanted` would be right."""
    counts = count_dots(images)
    exact = int((counts == wanted).sum())
    variety = dot_diversity(images)
    return Counted(
        title=title,
        images=len(images),
        exact=exact,
        interval=wilson_interval(exact, len(images)),
        mean=float(counts.double().mean()),
        deviation=float(counts.double().std()),
        histogram=torch.bincount(counts).tolist(),
        hue_entropy=variety.hue_entropy,
        saturation=variety.saturation,
        position_entropy=variety.position_entropy,
    )


def count_run(path: Path, wanted: int, images: int) -> Counted:
    """Measure images drawn from a finished run."""
    sampler, checkpoint = load_sampler(RunFolder.open(path))
    title = "without NDA" if checkpoint["config"]["negative"] == "none" else "with NDA"
    return measure(title, sampler.sample(images, sampler.seed), wanted)


def count_real(archive: Path, wanted: int, images: int) -> Counted:
    """Measure the images that both runs learned from."""
    return measure(
        "real images", load_images(archive, classes=[str(wanted)]).images[:images], wanted
    )


def keep(path: Path, generated: Counted, real: Counted, wanted: int, seed: int) -> None:
    """Put the counts first among the figures of the run at `path`, and on its page.

    Nothing is written where they are there already.
    """
    counts = {
        name: torch.arange(len(some.histogram)).repeat_interleave(torch.tensor(some.histogram))
        for name, some in (("generated", generated), ("real", real))
    }
    protocol: Protocol = {
        "images": generated.images,
        "counted_by": "the rule that is exact on real dots",
        "seed": seed,
    }
    run = RunFolder.open(path)
    latest = Evaluation.from_dict(run.evaluations()[-1])
    found = count_metrics(counts, wanted, protocol)
    known = {metric.name for metric in found}
    others = [metric for metric in latest.metrics if metric.name not in known]
    drawn = count_histogram(counts, wanted, protocol)
    rest = [each for each in latest.histograms if each.name != drawn.name]
    together = replace(latest, metrics=[*found, *others], histograms=[drawn, *rest])
    if together != latest:
        run.save_evaluation(together.as_dict())
        write_report(run)


def show(console: Console, counted: list[Counted]) -> None:
    """Print the table."""
    table = Terminal(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADER:
        table.add_column(heading, justify="left" if heading == "images" else "right", no_wrap=True)
    for row in counted:
        table.add_row(*row.cells())
    console.print(table)
    console.print(NOTE, highlight=False)


def as_tables(counted: list[Counted]) -> list[Table]:
    """The same table for the page, and the share of images by number of dots (Figure 6)."""
    most = max(len(row.histogram) for row in counted)
    shares = [
        (
            row.title,
            *(f"{n / row.images:.1%}" for n in row.histogram + [0] * (most - len(row.histogram))),
        )
        for row in counted
    ]
    return [
        Table("Counts of dots", HEADER, [row.cells() for row in counted], NOTE),
        Table("Share of images by number of dots", ("images", *map(str, range(most))), shares),
    ]


def verdict(counted: list[Counted]) -> str:
    """What the runs, of which all but the last of `counted` are, say in a sentence."""
    *runs, _ = counted
    shares = ", ".join(
        f"{row.exact / row.images:.1%} {row.title} ({100 * row.interval[0]:.1f} to "
        f"{row.interval[1]:.1%})"
        for row in runs
    )
    return (
        f"Images with the right number of dots: {shares}. One seed of each: how far "
        "another one would lie from it, these intervals do not say."
    )


def write_figures(path: Path, counted: list[Counted], options: QuickstartOptions) -> Path:
    """Keep what was measured, with what it takes to measure it again."""
    content: dict[str, Any] = {
        "command": f"nda quickstart --seed {options.seed} --steps {options.steps} "
        f"--count {options.count}",
        "seed": options.seed,
        "measured": [asdict(row) for row in counted],
    }
    write_text_atomically(path, json.dumps(content, indent=1) + "\n")
    return path
