"""Figures of how many objects images show, of their variety, and of how near they are to others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nda.evaluation.fidelity.nearest import nearest_images
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.record import Histogram, Metric, Protocol

COUNTS = "Numbers of objects"
VARIETY = "Variety of objects"
NEAREST = "Distance to the nearest training image"

_VARIETY_COLUMNS = {
    "hue_entropy": "hues (bits)",
    "saturation": "saturation",
    "brightness": "brightness",
    "position_entropy": "places (bits)",
}


def count_metrics(counts: Mapping[str, Tensor], right: int, protocol: Protocol) -> list[Metric]:
    """Share exact with Wilson's interval, mean and standard deviation of counts int64 (N,).

    `counts` maps the name of each set of images, such as "generated", to its counts, at least 2.
    """
    metrics = []
    for name, some in counts.items():
        exact = int((some == right).sum())
        place: dict[str, Any] = {"protocol": protocol, "table": COUNTS, "row": name}
        metrics += [
            Metric(
                f"{name}_exact",
                f"Share of {name} images with exactly {right} objects",
                exact / len(some),
                "higher",
                interval=list(wilson_interval(exact, len(some))),
                column="exact",
                **place,
            ),
            Metric(
                f"{name}_mean_count",
                f"Mean number of objects in {name} images",
                float(some.double().mean()),
                "",
                column="mean",
                **place,
            ),
            Metric(
                f"{name}_count_deviation",
                f"Standard deviation of the number of objects in {name} images",
                float(some.double().std()),
                "lower",
                column="standard deviation",
                **place,
            ),
        ]
    return metrics


def count_histogram(counts: Mapping[str, Tensor], right: int, protocol: Protocol) -> Histogram:
    """How many images of each set show 0, 1, 2, ... objects (Figure 6)."""
    most = max([right + 2, *(int(some.max()) for some in counts.values())])
    return Histogram(
        name="counts",
        title="Images by their number of objects",
        axis="objects in an image",
        edges=[count - 0.5 for count in range(most + 2)],
        series={
            name: torch.bincount(some, minlength=most + 1).tolist() for name, some in counts.items()
        },
        protocol=protocol,
    )


def variety_metrics(variety: Mapping[str, Any], protocol: Protocol) -> list[Metric]:
    """Each field of a `DotDiversity` or `SceneDiversity` of each set of images."""
    protocol = {**protocol, "to_read": "lower than in real images would be variety lost"}
    return [
        Metric(
            f"{name}_{field}",
            f"{_VARIETY_COLUMNS[field]} of objects in {name} images",
            value,
            "",
            protocol,
            table=VARIETY,
            row=name,
            column=_VARIETY_COLUMNS[field],
        )
        for name, some in variety.items()
        for field, value in dataclasses.asdict(some).items()
    ]


def nearest_metrics(
    images: Mapping[str, Tensor],
    training: Tensor,
    protocol: Protocol,
    *,
    device: torch.device | str = "cpu",
) -> list[Metric]:
    """Median and lowest tenth of the distances to the nearest of `training` uint8 (M, 3, R, R).

    The distance is the root mean square difference of pixels, between 0 for a copy and 1.
    """
    protocol = {
        **protocol,
        "distance": "root mean square difference of pixels between 0 and 1, exact search",
        "to_read": "a model that copies its training images comes nearer than real images do",
    }
    metrics = []
    for name, some in images.items():
        distance = nearest_images(some, training, device=device).distance
        for share, column in ((0.5, "median"), (0.1, "lowest tenth")):
            metrics.append(
                Metric(
                    f"{name}_nearest_{column.split()[-1]}",
                    f"Distance of {name} images to the nearest training image, {column}",
                    float(distance.quantile(share)),
                    "",
                    {**protocol, f"{name}_images_searched_for": len(some)},
                    table=NEAREST,
                    row=name,
                    column=column,
                )
            )
    return metrics
