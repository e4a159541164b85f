"""What is measured of an encoder, and the pictures that show what it sees."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.data import ImageSet, to_uint8
from nda.evaluation.features.classes import neighbours_metric
from nda.evaluation.features.extract import extract_features
from nda.evaluation.features.structure import VIEWS, different, structure_similarity
from nda.evaluation.record import WARNING, Evaluation, Histogram, Metric, Protocol
from nda.negatives import Jigsaw, Negative
from nda.report.pictures.features import Encoded, save_feature_pictures
from nda.report.pictures.grid import image_grid, save_png
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder

if TYPE_CHECKING:
    from nda.recipes.moco.train import MocoState

SHOWN = 8  # images in a picture
COLLAPSED = 0.01  # spread of features below which nothing is told apart any more
MOST_COMPARED = 2000  # images whose cosines are measured
FEATURES = "Features of an image beside those of"  # tables of cosines
HEAD = "The same after the head, which the objective moves apart"
COLUMNS = {
    "cosine_std": "deviation",
    "cosine": "cosine",
    "distance": "distance, relative to different images",
    "nearer": "share nearer than two views",
}
ROWS = {VIEWS: "two views of it", different("image"): "another image"}


def evaluate(state: MocoState) -> Evaluation:
    """Nearest neighbours in the encoder's features, and how far these move with structure.

    Writes pictures of both into the run's samples.
    """
    encoder: nn.Module = state.query.module[0]
    heldout, known = (
        encoded(state, encoder, images) for images in (state.splits.heldout, state.splits.train)
    )
    protocol: Protocol = {"split": state.splits.heldout_name, "images": len(heldout.images)}
    metrics = spread_metrics(heldout.features, head_of(state, heldout.features), protocol)
    collapse = [f"Collapse: {m.protocol[WARNING]}." for m in metrics if WARNING in m.protocol]
    notes = [*state.splits.train.told, *collapse[:1]]
    if len(known.images.classes) > 1 and known.images.classes == heldout.images.classes:
        metrics.append(
            neighbours_metric(
                known.features,
                known.images.labels,
                heldout.features,
                heldout.images.labels,
                classes=len(known.images.classes),
                protocol=protocol,
            )
        )
    else:
        notes.append("Nearest neighbours: not all images are sorted into the same classes.")
    if collapse:  # of features that are all alike, or zero, there are no cosines to tell
        return Evaluation(state.step, metrics, [], notes)
    save_feature_pictures(RunFolder(Path(state.config.out)).samples, known, heldout)
    cosines, histograms = structure(state, heldout.images)
    return Evaluation(state.step, metrics + cosines, histograms, notes)


@torch.no_grad()
def head_of(state: MocoState, features: Tensor) -> Tensor:
    """The vectors (N, dim) of the head, which the objective compares, of features (N, D)."""
    head: nn.Module = state.query.module[1]
    training = head.training
    head.eval()
    vectors: Tensor = head(features.to(state.fabric.device)).float().cpu()
    head.train(training)
    return vectors


def encoded(state: MocoState, encoder: nn.Module, images: ImageSet) -> Encoded:
    """Images, as many as the run measures, with the features that the encoder has of them."""
    some = images.spread_out(state.config.evaluation_samples)
    return Encoded(some, extract_features(encoder, some.images, device=state.fabric.device))


def structure(state: MocoState, heldout: ImageSet) -> tuple[list[Metric], list[Histogram]]:
    """Cosines of images with their jigsaw and with what the run made of them (Figure 9).

    Of the encoder's features, which are what is used afterwards, and of the vectors of the head
    above it, which are what the objective moves apart.
    """
    negatives: dict[str, Negative] = {"jigsaw": Jigsaw()}
    if state.negative is not None:
        negatives[state.config.negative] = state.negative
    network: nn.Sequential = state.query.module
    images = heldout.spread_out(MOST_COMPARED).images
    training = network.training
    network.eval()
    metrics: list[Metric] = []
    histograms: list[Histogram] = []
    for encode, prefix, table, words in (
        (network[0], "", FEATURES, ""),
        (network, "head_", HEAD, ", after the head"),
    ):
        found, drawn = structure_similarity(
            encode,
            images,
            negatives,
            generator=generator_for(state.config.seed, purpose="evaluation"),
            protocol={"split": state.splits.heldout_name},
            device=state.fabric.device,
        )
        metrics += [in_table(metric, prefix, table) for metric in found]
        histograms += [
            replace(each, name=prefix + each.name, title=f"{each.title}{words}") for each in drawn
        ]
    network.train(training)
    return metrics, histograms


def in_table(metric: Metric, prefix: str, table: str) -> Metric:
    """A figure of `structure_similarity` at its place: a row for what the image is beside."""
    figure, beside = metric.kind["figure"], metric.kind["beside"]
    row = ROWS.get(beside, f"its {beside.replace('_', ' ')}")
    return replace(metric, name=prefix + metric.name, table=table, row=row, column=COLUMNS[figure])


def spread_metrics(features: Tensor, vectors: Tensor, protocol: Protocol) -> list[Metric]:
    """The spread of the encoder's features (N, D), and of the head's vectors (N, dim)."""
    return [
        spread_metric(features, protocol),
        spread_metric(
            vectors, protocol, "head_spread", "Spread after the head", "vectors of the head"
        ),
    ]


def spread_metric(
    features: Tensor,
    protocol: Protocol,
    name: str = "feature_spread",
    title: str = "Spread of the features",
    what: str = "features",
) -> Metric:
    """Deviation of normalised features (N, D) over the images, 1 for directions at random."""
    directions = F.normalize(features, dim=1)
    spread = float(directions.std(dim=0).mean()) * math.sqrt(features.shape[1])
    if spread < COLLAPSED:
        protocol = protocol | {
            WARNING: f"{what} have collapsed: their spread is {spread:.2g}, so that all images "
            "look alike to the encoder; lower the learning rate or raise the temperature"
        }
    return Metric(name, title, spread, "", protocol)


def draw_samples(state: MocoState, folder: RunFolder) -> None:
    """Pictures: at first of views and negatives."""
    if state.step:
        return
    rng = generator_for(state.config.seed, purpose="samples", device=state.fabric.device)
    images = state.splits.heldout.spread_out(SHOWN).images.to(state.fabric.device)
    query, key = (state.views(images, generator=rng) for _ in range(2))
    rows, labels = [images, to_uint8(query), to_uint8(key)], ["image", "query's view", "key's view"]
    if state.negative is not None:
        rows.append(to_uint8(state.negative(key, generator=rng)))
        labels.append(state.config.negative)
    grid = image_grid(torch.cat(rows), len(images), row_labels=labels)
    save_png(grid, folder.samples / "views.png")
