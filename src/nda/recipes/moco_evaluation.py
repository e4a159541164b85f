"""What is measured of an encoder, and the pictures that show what it sees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.data import ImageSet, to_uint8
from nda.evaluation.features import extract_features
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.knn import knn_accuracy
from nda.evaluation.record import WARNING, Evaluation, Metric, Protocol
from nda.evaluation.structure import structure_similarity
from nda.negatives import Jigsaw, Negative
from nda.report.grid import image_grid, save_png
from nda.training.randomness import generator_for
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.moco import MocoState

SHOWN = 8  # images in a picture
NEIGHBOURS = 200  # that vote
COLLAPSED = 0.01  # spread of features below which nothing is told apart any more
MOST_COMPARED = 2000  # images whose cosines are measured


def evaluate(state: MocoState) -> Evaluation:
    """Nearest neighbours in the encoder's features, and how far they move with structure."""
    encoder: nn.Module = state.query.module[0]
    heldout = spread_out(state.splits.heldout, state.config.evaluation_samples)
    features = extract_features(encoder, heldout.images, device=state.fabric.device)
    protocol: Protocol = {"split": state.splits.heldout_name, "images": len(heldout)}
    metrics, notes = [spread_metric(features, protocol)], []
    if WARNING in metrics[0].protocol:
        notes.append(f"Collapse: {metrics[0].protocol[WARNING]}.")
    if len(heldout.classes) > 1:
        metrics.append(neighbours_metric(state, encoder, heldout, features, protocol))
    else:
        notes.append("Nearest neighbours: the images are not sorted into classes.")

    negatives: dict[str, Negative] = {"jigsaw": Jigsaw()}
    if state.negative is not None:
        negatives[state.config.negative] = state.negative
    training = encoder.training
    encoder.eval()
    cosines, histograms = structure_similarity(
        encoder,
        spread_out(heldout, MOST_COMPARED).images,
        {name: each for name, each in negatives.items() if suits(each, heldout.images)},
        generator=generator_for(state.config.seed, purpose="evaluation"),
        protocol={"split": state.splits.heldout_name, "features": "of the encoder"},
        device=state.fabric.device,
    )
    encoder.train(training)
    return Evaluation(state.step, metrics + cosines, histograms, notes)


def spread_metric(features: Tensor, protocol: Protocol) -> Metric:
    """Deviation of normalised features (N, D) over the images, 1 for directions at random."""
    directions = F.normalize(features, dim=1)
    spread = float(directions.std(dim=0).mean()) * math.sqrt(features.shape[1])
    if spread < COLLAPSED:
        protocol = protocol | {
            WARNING: f"features have collapsed: their spread is {spread:.2g}, so that all images "
            "look alike to the encoder; lower the learning rate or raise the temperature"
        }
    return Metric("feature_spread", "Spread of the features", spread, "", protocol)


def neighbours_metric(
    state: MocoState, encoder: nn.Module, heldout: ImageSet, features: Tensor, protocol: Protocol
) -> Metric:
    """Share of held-out images whose class their nearest training images tell."""
    known = spread_out(state.splits.train, state.config.evaluation_samples)
    bank = extract_features(encoder, known.images, device=state.fabric.device)
    found = knn_accuracy(
        bank, known.labels, features, heldout.labels, classes=len(known.classes), k=NEIGHBOURS
    )
    return Metric(
        "knn_top1",
        "Accuracy of nearest neighbours (top-1)",
        found.accuracy,
        "higher",
        protocol | {"neighbours": min(NEIGHBOURS, len(known)), "among": len(known)},
        interval=list(wilson_interval(int(found.correct.sum()), len(heldout))),
    )


def spread_out(images: ImageSet, most: int) -> ImageSet:
    """At most `most` images evenly spread over the set; all for 0."""
    if not most or most >= len(images):
        return images
    rows = torch.linspace(0, len(images) - 1, most).long()
    return ImageSet.of(images.images[rows], images.labels[rows], images.classes)


def suits(negative: Negative, images: Tensor) -> bool:
    """Whether a negative can be made of these images; a run's own always can."""
    from nda.errors import ShapeError

    try:
        negative.check(images[:2])
    except ShapeError:
        return False
    return True


def draw_samples(state: MocoState, folder: RunFolder) -> None:
    """Pictures: at first of views and negatives."""
    if state.step:
        return
    draws = generator_for(state.config.seed, purpose="samples", device=state.fabric.device)
    images = spread_out(state.splits.heldout, SHOWN).images.to(state.fabric.device)
    query, key = (state.views(images, generator=draws) for _ in range(2))
    rows, labels = [images, to_uint8(query), to_uint8(key)], ["image", "query's view", "key's view"]
    if state.negative is not None:
        rows.append(to_uint8(state.negative(key, generator=draws)))
        labels.append(state.config.negative)
    grid = image_grid(torch.cat(rows), len(images), row_labels=labels)
    save_png(grid, folder.samples / "views.png")
