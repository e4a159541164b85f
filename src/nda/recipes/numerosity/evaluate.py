"""What is measured of a numerosity run: the objects in its images, their number and variety.

Generated images come from the averaged generator with standing statistics; beside each figure
stands the same one of real images that were held out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nda.evaluation.counting.metrics import (
    count_histogram,
    count_metrics,
    nearest_metrics,
    variety_metrics,
)
from nda.evaluation.fidelity.nearest import nearest_images
from nda.evaluation.record import Evaluation, Protocol
from nda.recipes.gan.evaluate import COLUMNS, draw_grid
from nda.recipes.gan.sampler import BATCH_NORM
from nda.recipes.numerosity.counter import counter_of
from nda.report.pictures.grid import image_grid, save_png
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.numerosity.train import NumerosityState

SEARCHED = 500  # images whose nearest training image is sought
SHOWN = 8  # of them, in samples/nearest.png
NEIGHBOURS = 3  # training images beside each


def evaluate(state: NumerosityState) -> Evaluation:
    """Counts (Figure 6), variety and nearest training images, and samples/nearest.png."""
    config, gan = state.config, state.gan
    counter = counter_of(config, gan.images.shape[-1], gan.fabric.device)
    images = images_to_measure(state)
    counts = {name: counter.count(some) for name, some in images.items()}
    protocol: Protocol = {
        "split": gan.splits.heldout_name,
        "weights": f"moving average {config.ema_decay:g} from step {config.ema_start}",
        "batch_norm": BATCH_NORM,
        **{f"{name}_images": len(some) for name, some in images.items()},
    }
    counted = {**protocol, "right_count": config.right_count, **counter.protocol}
    searched = {name: some[:SEARCHED] for name, some in images.items()}
    training = gan.splits.train.images
    draw_nearest(images["generated"], training, RunFolder(Path(config.out)), gan.fabric.device)
    return Evaluation(
        state.step,
        [
            *count_metrics(counts, config.right_count, counted),
            *variety_metrics(
                {name: counter.variety(some) for name, some in images.items()}, counted
            ),
            *nearest_metrics(searched, training, protocol, device=gan.fabric.device),
        ],
        [count_histogram(counts, config.right_count, counted)],
    )


def images_to_measure(state: NumerosityState) -> dict[str, Tensor]:
    """Generated images and as many held-out ones at most, uint8 (N, 3, R, R)."""
    number, heldout = state.config.evaluation_samples, state.gan.splits.heldout.images
    rng = generator_for(state.config.seed, purpose="evaluation", device=state.gan.fabric.device)
    return {"generated": state.gan.sampler.generate(number, rng), "real": heldout[:number]}


def draw_nearest(
    generated: Tensor, training: Tensor, folder: RunFolder, device: torch.device
) -> None:
    """samples/nearest.png: in each row a generated image and the training images nearest to it."""
    shown = generated[:SHOWN]
    neighbours = min(NEIGHBOURS, len(training))
    index = nearest_images(shown, training, neighbours, device=device).index  # (SHOWN, k)
    cells = torch.cat([shown[:, None], training[index]], dim=1).flatten(0, 1)
    labels = ["generated", "nearest", "2nd", "3rd"][: neighbours + 1]
    save_png(
        image_grid(cells, neighbours + 1, column_labels=labels), folder.samples / "nearest.png"
    )


def draw_samples(state: NumerosityState, folder: RunFolder) -> None:
    """samples/step-<n>.png from latents that stay the same, and once the images learned from."""
    rng = generator_for(state.config.seed, purpose="samples", device=state.gan.fabric.device)
    draw_grid(state.gan, folder, rng)
    if state.step == 0:
        draw_data(state, folder)


def draw_data(state: NumerosityState, folder: RunFolder) -> None:
    """samples/negatives.png: real images, and negatives of all the wrong counts."""
    real, other = state.gan.splits.train.images, state.gan.other
    columns = min(COLUMNS, len(real))
    parts, labels = [real[:columns]], [f"real: {state.config.right_count}"]
    if other is not None:
        rows = len(state.negative_counts)
        spread = torch.linspace(0, len(other) - 1, rows * columns).long()  # over all counts
        parts.append(other[spread.to(other.device)].cpu())
        counts = ", ".join(map(str, state.negative_counts))
        labels += [f"negative: {counts}", *[""] * (rows - 1)]
    grid = image_grid(torch.cat(parts), columns, row_labels=labels)
    save_png(grid, folder.samples / "negatives.png")
