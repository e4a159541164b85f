"""What is measured of an NDA-GAN, and the images that show it.

Generated images come from the averaged generator with standing statistics; real ones are held-out
images. Both are said in the protocol of every figure.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nda.evaluation.counting.modes import fit_digit_reader, mode_metrics
from nda.evaluation.fidelity.classifier import (
    BUDGET,
    FeatureClassifier,
    classifier_frechet,
    train_feature_classifier,
)
from nda.evaluation.fidelity.gap import Score, discriminator_gaps
from nda.evaluation.fidelity.lite0 import lite0_metrics
from nda.evaluation.record import Evaluation, Histogram, Metric, Protocol
from nda.recipes.gan.sampler import BATCH_NORM
from nda.recipes.gan.taught import taught_output
from nda.recipes.gan.train import GanState
from nda.report.pictures.grid import image_grid, save_png
from nda.runtime.files import cache_folder
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder

PAPERS_NEGATIVES = ("jigsaw", "stitch", "cutout", "cutmix", "mixup")
LEARNED_FROM = 50  # images that the feature classifier sees for each generated one
COLUMNS = 8  # of the grids of samples


def evaluate(state: GanState) -> Evaluation:
    """Distance of generated to held-out images, and the discriminator's gap (Figure 4)."""
    heldout = state.splits.heldout
    # A random choice, the same for every run on this data: in their order the images of a class
    # stand together.
    order = torch.randperm(len(heldout), generator=generator_for(0, purpose="held-out images"))
    chosen = order[: state.config.evaluation_samples]
    real, labels = heldout.images[chosen], heldout.labels[chosen]
    notes = list(state.splits.train.told)
    metrics = distances(state, real, notes)
    gaps, histograms = gaps_of(state, real, labels)
    return Evaluation(state.step, metrics + gaps, histograms, notes)


def distances(state: GanState, real: Tensor, notes: list[str]) -> list[Metric]:
    """How far generated images are from real ones, in every way that the settings ask for."""
    config, splits = state.config, state.splits
    protocol: Protocol = {
        "split": splits.heldout_name,
        "weights": f"moving average {config.ema_decay:g} from step {config.ema_start}",
        "batch_norm": BATCH_NORM,
    }
    rng = generator_for(config.seed, purpose="evaluation", device=state.fabric.device)
    generated = state.sampler.generate(config.evaluation_samples, rng)
    metrics = inception_figures(state, real, generated, protocol, notes)
    if config.count_modes:
        reader = fit_digit_reader(splits.train, splits.heldout)
        metrics += mode_metrics({"generated": generated, "real": real}, reader, protocol)
    elif config.features in ("classifier", "both"):
        metrics += classifier_figures(state, real, generated, protocol, notes)
    if config.features in ("lite0", "both"):
        metrics += lite0_metrics(real, generated, protocol=protocol, device=state.fabric.device)
    return metrics


def inception_figures(
    state: GanState, real: Tensor, generated: Tensor, protocol: Protocol, notes: list[str]
) -> list[Metric]:
    """FID and its kin where the Inception weights are, else a note."""
    # torch-fidelity takes seconds to import: not before a run's first step.
    from nda.evaluation.fidelity.inception import inception_metrics, inception_weights

    given = state.config.inception_weights
    weights = inception_weights(Path(given) if given else None)
    if weights is None:
        notes.append(
            "FID, KID, Inception score, precision and recall: the Inception weights are not "
            "here; give them with --inception_weights."
        )
        return []
    return inception_metrics(
        real, generated, weights=weights, device=state.fabric.device, protocol=protocol
    )


def classifier_figures(
    state: GanState, real: Tensor, generated: Tensor, protocol: Protocol, notes: list[str]
) -> list[Metric]:
    """The Fréchet distance in a classifier of the data where it has classes, else a note."""
    train, heldout = state.splits.train, state.splits.heldout
    if len(train.labels.unique()) < 2 or train.classes != heldout.classes:
        notes.append(
            "Classifier Fréchet distance: training and held-out images do not share two or more "
            "classes to train the classifier on."
        )
        return []
    return [classifier_frechet(classifier_for(state), real, generated, protocol)]


def classifier_for(state: GanState) -> FeatureClassifier:
    """The feature classifier of the run's data, trained for as long as the figures are worth.

    From 6,000 generated images on it learns from all its budget of images; of fewer it sees
    `LEARNED_FROM` for each, so that a quick look at a large set is quick.
    """
    budget = min(BUDGET, LEARNED_FROM * state.config.evaluation_samples)
    name = state.splits.train.fingerprint + (f"-{budget}" if budget < BUDGET else "")
    return train_feature_classifier(
        state.splits.train,
        state.splits.heldout,
        budget=budget,
        device=state.fabric.device,
        cache_path=cache_folder() / f"classifier-{name}.safetensors",
    )


def gaps_of(state: GanState, real: Tensor, labels: Tensor) -> tuple[list[Metric], list[Histogram]]:
    """D(x) - D(negative(x)) for each of the paper's negatives and the run's own.

    Where there is a structure head D is its output, and where negatives are a third class the log
    odds of the two others: the adversarial output has never been told of negatives.
    """
    discriminator = state.discriminator.module.eval()
    score: Score = discriminator
    protocol: Protocol = {"split": state.splits.heldout_name}
    if taught := taught_output(discriminator):
        protocol["output"], score = taught
    labels = labels * state.config.conditional
    names = list(PAPERS_NEGATIVES)
    if state.negative is not None and state.config.negative not in names:
        names.insert(0, state.config.negative)
    found = discriminator_gaps(
        score,
        real,
        labels,
        names,
        seed=state.config.seed,
        device=state.fabric.device,
        protocol=protocol,
    )
    discriminator.train()
    return found


def draw_samples(state: GanState, folder: RunFolder) -> None:
    """samples/step-<n>.png from latents that stay the same, and once the run's negatives."""
    rng = generator_for(state.config.seed, purpose="samples", device=state.fabric.device)
    draw_grid(state, folder, rng)
    if state.step == 0:
        draw_negatives(state, folder, rng)


def draw_grid(state: GanState, folder: RunFolder, rng: torch.Generator) -> None:
    """samples/step-<n>.png."""
    images = state.sampler.generate(COLUMNS * COLUMNS, rng)
    save_png(image_grid(images, COLUMNS), folder.samples / f"step-{state.step:08d}.png")


def draw_negatives(state: GanState, folder: RunFolder, rng: torch.Generator) -> None:
    """samples/negatives.png: real images of the data, and what the run shows as negatives."""
    images = state.splits.train.images
    spread = torch.linspace(
        0, len(images) - 1, min(COLUMNS, len(images))
    ).long()  # over all classes
    rows, names = [images[spread]], ["real"]
    negative = state.negative
    if negative is not None:
        params = negative.draw(real := rows[0].to(rng.device), rng)
        rows.append(negative.replay(real, params).cpu())
        names.append(state.config.negative)
        if state.config.structure_head or state.config.matched != "none":
            rows.append(negative.null(real, params).cpu())
            names.append("null")
    elif state.other is not None:
        rows.append(state.other[: len(rows[0])].cpu())
        names.append(state.config.negative)
    grid = image_grid(torch.cat(rows), len(rows[0]), row_labels=names)
    save_png(grid, folder.samples / "negatives.png")
