"""Arms of the GAN side by side on one card: how near their images come, over the steps.

    python benchmarks/gpu_campaign.py --data cifar10.zip --out campaign/figures.json [--minutes 10]

Every arm takes the settings of `nda train gan`, and the recipe's own step. Images lie on the card,
a step is one CUDA graph, and all runs (arm, seed, share of the data) advance together, round by
round. So when the minutes are over, reading and measuring included, all have done equally many
steps. Their state is kept beside the figures after each round: the same command goes on from
there, also with more minutes, steps, seeds or arms. Of this package's requirements it needs numpy,
pillow, matplotlib, rich, safetensors and scipy; the package itself by PYTHONPATH=src.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from campaign.runs import ARMS, DEFAULT_ARMS, Run, build
from record import keep, parsed

from nda.data.images.image_set import ImageSet
from nda.data.images.source import ImageSource
from nda.evaluation.fidelity.classifier import BUDGET, FeatureClassifier, train_feature_classifier
from nda.evaluation.fidelity.frechet import frechet_distance
from nda.report.pictures.grid import image_grid, save_png
from nda.runtime.seeding import generator_for

SHOWN = 12  # images of a run in the picture
ENDING = 10.0  # seconds for the pictures
APART = ("out", "data", "state")  # options that are no settings


class Ruler:
    """Measures how near generated images come to held-out ones, in a classifier's features."""

    def __init__(self, train: ImageSet, heldout: ImageSet, options: argparse.Namespace) -> None:
        self.count = options.images
        self.classifier: FeatureClassifier = train_feature_classifier(
            train, heldout, budget=min(BUDGET, 50 * self.count), device=options.device,
            cache_path=options.state / "classifier.safetensors",
        )  # fmt: skip
        some = heldout.drawn(self.count, generator_for(0, purpose="held-out images"))
        self.real = self.classifier.features(some.images)

    def measure(self, run: Run) -> float:
        rng = generator_for(run.seed, purpose="evaluation", device=run.state.fabric.device)
        images = run.state.sampler.generate(self.count, rng)
        return frechet_distance(self.real, self.classifier.features(images))


def advance(runs: list[Run], target: int) -> float:
    """Every run up to `target` steps, in turns; gives the seconds that a step of all took.

    0 where there was none to take.
    """
    began, steps = time.perf_counter(), target - min(run.done for run in runs)
    for _ in range(steps):
        for run in runs:
            if run.done < target:
                with torch.cuda.stream(run.stream) if run.stream else nullcontext():
                    run.step()
                run.done += 1
    if any(run.stream for run in runs):
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / steps if steps else 0.0


def campaign(
    runs: list[Run], ruler: Ruler, options: argparse.Namespace, end: float
) -> Iterator[int]:
    """Rounds until the steps are done or the time is over; after each the steps that all have.

    By then every run is measured, and its state is on the disk.
    """
    pace = advance(runs, min(options.steps, min(run.done for run in runs) + 1))  # a first look
    began = time.perf_counter()
    ruler.measure(runs[0])
    measuring = (time.perf_counter() - began) * len(runs)
    while (done := min(run.measured for run in runs)) < options.steps:
        left = end - time.perf_counter() - 1.5 * measuring
        target = next_target(done, options, pace, left)
        behind = [run for run in runs if run.measured < target]
        if not behind:
            break
        pace = advance(behind, target) or pace
        began = time.perf_counter()
        for run in behind:
            run.curve.append([run.done, ruler.measure(run)])
            run.save()
        measuring = time.perf_counter() - began
        print(f"{target} steps, {pace:.3f} s a step of {len(behind)} runs", flush=True)
        yield target


def next_target(done: int, options: argparse.Namespace, pace: float, left: float) -> int:
    """How many steps all have after the next round: a whole round, or what there is time for."""
    whole = min(options.steps, (done // options.every + 1) * options.every)
    return min(whole, done + max(0, int(left / pace)))


def report(runs: list[Run], options: argparse.Namespace) -> dict[str, Any]:
    """What goes into the file of figures."""
    least = min(run.measured for run in runs)
    told = sorted({f"{run.arm}: {run.told}" for run in runs if run.told})
    if least < options.steps:
        told.append(
            f"{options.minutes:g} minutes were enough for {least:,} of {options.steps:,} steps, "
            "of every run alike."
        )
    return {
        "data": options.data.name,
        "arms": {arm: ARMS[arm][0] | {"diff_augment": ARMS[arm][1]} for arm in options.arms},
        "steps_done": least,
        "told": told,
        "runs": [
            {"arm": run.arm, "seed": run.seed, "share": run.share, "images": len(run.state.images),
             "graph": run.step != run.eager_step, "curve": run.curve}
            for run in runs
        ],
        "last": [
            {"arm": arm, "share": share, "frechet": last_of(runs, arm, share),
             "less_plain": less_plain(runs, arm, share)}
            for share, arm in product(options.shares, options.arms)
        ],
    }  # fmt: skip


def last_of(runs: list[Run], arm: str, share: float) -> list[float]:
    """Of every seed: the last Fréchet distance."""
    return [run.curve[-1][1] for run in runs if (run.arm, run.share) == (arm, share) and run.curve]


def less_plain(runs: list[Run], arm: str, share: float) -> float | None:
    """The mean over seeds of the difference to the plain GAN of the same seed."""
    own, plain = last_of(runs, arm, share), last_of(runs, "plain", share)
    if not own or len(own) != len(plain):
        return None
    return statistics.mean(a - b for a, b in zip(own, plain, strict=True))


def draw_curves(runs: list[Run], options: argparse.Namespace, path: Path) -> None:
    """A panel a share of the data: each seed thin, and the mean of those measured together."""
    shares = options.shares
    figure, panels = plt.subplots(1, len(shares), figsize=(5.5 * len(shares), 4), squeeze=False)
    for axis, share in zip(panels[0], shares, strict=True):
        for colour, arm in enumerate(options.arms):
            found: dict[float, list[float]] = {}
            curves = [run.curve for run in runs if (run.arm, run.share) == (arm, share)]
            for curve in curves:
                steps, values = [point[0] for point in curve], [point[1] for point in curve]
                axis.plot(steps, values, color=f"C{colour}", linewidth=0.6, alpha=0.5)
                for step, value in curve:
                    found.setdefault(step, []).append(value)
            means = {n: statistics.mean(v) for n, v in found.items() if len(v) == len(curves)}
            axis.plot([*means], [*means.values()], color=f"C{colour}", marker=".", label=arm)
        axis.set(xlabel="steps of the generator", title=f"{share:.0%} of the training images")
        axis.set(ylabel="classifier Fréchet distance", yscale="log")
        axis.grid(alpha=0.3)
    panels[0][-1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_samples(runs: list[Run], path: Path) -> None:
    """Images of every run, from the same latents."""
    rows, names = [], []
    for run in runs:
        rng = generator_for(0, purpose="samples", device=run.state.fabric.device)
        rows.append(run.state.sampler.generate(SHOWN, rng))
        names.append(f"{run.arm}, {run.share:.0%}, seed {run.seed}")
    save_png(image_grid(torch.cat(rows), SHOWN, scale=2, row_labels=names), path)


def options_of_user() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder or .zip with classes")
    parser.add_argument("--out", type=Path, required=True, help="JSON; pictures go beside it")
    parser.add_argument("--state", type=Path, help="folder; by default beside the figures")
    parser.add_argument("--minutes", type=float, default=10.0, help="of everything together")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=DEFAULT_ARMS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0, 0.1])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=1000, help="steps between measurements")
    parser.add_argument("--images", type=int, default=5000, help="that are compared")
    parser.add_argument("--width", type=int, default=32, help="64 is full size")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--d_steps", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parsed(parser, steps=4, every=2, images=20, width=1, batch_size=4, d_steps=1)


def main() -> None:
    began = time.perf_counter()
    options = options_of_user()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.state = options.state or options.out.parent / "state"
    torch.backends.cudnn.benchmark = True
    splits = ImageSource(options.data, resolution=32).splits(0.1)
    ruler = Ruler(splits.train, splits.heldout, options)
    print(f"read and learned to measure in {time.perf_counter() - began:.0f} s", flush=True)
    sets = {
        share: splits.train.drawn(
            round(share * len(splits.train)), generator_for(0, purpose="share of the data")
        )
        for share in options.shares
    }
    runs = [
        build(arm, seed, share, sets[share], options)
        for share, seed, arm in product(options.shares, options.seeds, options.arms)
    ]
    if options.device.startswith("cuda"):
        for run in runs:
            run.capture()
    measured_by = {"accuracy": ruler.classifier.accuracy, "is": ruler.classifier.fingerprint}
    for _ in campaign(runs, ruler, options, began + 60 * options.minutes - ENDING):
        keep(options, report(runs, options) | {"classifier": measured_by}, apart=APART)
    found = report(runs, options) | {
        "classifier": measured_by, "seconds": time.perf_counter() - began,
    }  # fmt: skip
    keep(options, found, apart=APART)
    draw_curves(runs, options, options.out.with_name(f"{options.out.stem}-curves.png"))
    draw_samples(runs, options.out.with_name(f"{options.out.stem}-samples.png"))
    for row in found["last"]:
        print(f"{row['share']:.0%} {row['arm']}: {row['frechet']}, less plain {row['less_plain']}")


if __name__ == "__main__":
    main()
