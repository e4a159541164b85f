"""Pictures of what an encoder sees: a map of its features, and images with their neighbours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from nda.data import ImageSet
from nda.evaluation.features.extract import FeatureMap, feature_map
from nda.evaluation.features.knn import nearest_features
from nda.report.pictures.grid import image_grid, save_png
from nda.report.plots.svg import PALETTE, WIDTH, paper_style

FEATURES, NEIGHBOURS = "features.png", "neighbours.png"  # among the samples of a run
MOST_POINTS = 2000  # of a map: more hide each other
SHOWN, K = 8, 8  # images with neighbours, and how many of these
MOST_COLOURS = 10  # classes that colours can tell apart
_COLOURS = (*PALETTE[:6], "#882255", "#999933", "#888888", PALETTE[6])
_MARKS = "osD^v"  # beside the colours, for eyes that tell fewer of them apart
_DPI = 200


@dataclass(frozen=True)
class Encoded:
    """Images and their features float32 `(N, D)`."""

    images: ImageSet
    features: Tensor

    def spread_out(self, most: int) -> Encoded:
        """At most `most` of them, evenly over the set, which is in the order of its classes."""
        if len(self.features) <= most:
            return self
        rows = torch.linspace(0, len(self.features) - 1, most).long()
        return Encoded(self.images.only(rows), self.features[rows])


def save_feature_pictures(samples: Path, known: Encoded, queries: Encoded) -> None:
    """Write the map of the queries, and a few of them with their neighbours among the known.

    Of fewer than three queries, or features of one dimension, there is no map.
    """
    mapped = queries.spread_out(MOST_POINTS)
    if len(mapped.features) > 2 and mapped.features.shape[1] > 1:
        found = feature_map(mapped.features)
        labels, classes = mapped.images.labels, mapped.images.classes
        save_png(feature_scatter(found, labels, classes), samples / FEATURES)
    save_png(neighbour_grid(known, queries.spread_out(SHOWN)), samples / NEIGHBOURS)


def neighbour_grid(known: Encoded, queries: Encoded, *, k: int = K) -> Image.Image:
    """A row for each query: itself at the left, then its `k` nearest of the known by cosine."""
    _, index = nearest_features(known.features, queries.features, k)  # (N, k)
    shown = queries.images.images
    blank = torch.full_like(shown, 255)  # sets the query apart from the others
    near = known.images.images[index]  # (N, k, 3, R, R)
    rows = torch.cat([shown[:, None], blank[:, None], near], dim=1)
    names = queries.images.classes
    return image_grid(
        rows.flatten(0, 1),
        rows.shape[1],
        column_labels=["image", "", "nearest", *map(str, range(2, index.shape[1] + 1))],
        row_labels=[names[label] for label in queries.images.labels] if names else None,
    )


def feature_scatter(found: FeatureMap, labels: Tensor, classes: Sequence[str]) -> Image.Image:
    """The map with a colour and a mark a class; in shades of grey where classes are too many.

    `labels` are whole numbers (N,), indices into `classes`, which may be empty.
    """
    with paper_style(), matplotlib.rc_context({"savefig.dpi": _DPI}):
        figure = Figure(figsize=(WIDTH * 1.25, WIDTH * 1.2), layout="constrained")
        axes = figure.subplots()
        _draw(axes, found.points.numpy(), labels.numpy(), classes)
        axes.set_xlabel(f"first principal component ({_percent(found.shares[0])})")
        axes.set_ylabel(f"second principal component ({_percent(found.shares[1])})")
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xticks([])
        axes.set_yticks([])
        if 1 < len(classes) <= MOST_COLOURS:
            handles, names = axes.get_legend_handles_labels()
            figure.legend(handles, names, loc="outside upper left", ncols=4, markerscale=2.5)
        elif len(classes) > MOST_COLOURS:
            axes.set_title(f"{len(classes)} classes, shades of grey in their order")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    return Image.open(buffer)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} % of the variance"


def _draw(axes: Axes, points: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    if not 1 < len(classes) <= MOST_COLOURS:
        shades = 0.75 * labels / max(1, len(classes) - 1)
        axes.scatter(points[:, 0], points[:, 1], s=5, c=shades, cmap="gray", vmin=0, vmax=1, lw=0)
        return
    for label, name in enumerate(classes):
        own = points[labels == label]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=7,
            color=_COLOURS[label],
            marker=_MARKS[label % len(_MARKS)],
            alpha=0.7,
            lw=0,
            label="\u200b" + name,  # a name that begins with an underscore would be left out
        )
