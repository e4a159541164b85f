"""How far negatives lie from the data, in units of the data's own spread.

Images are compared by what any eye sees first: colour and fineness of detail in each of 4 x 4
places. Nothing is learned, so the figure means the same for every negative and every data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.image_set import check_images, to_float
from nda.errors import ShapeError

GRID = 4  # places a side
HALVINGS = 8
_PART = 250  # images described at a time
_LEAST = 4  # images: two in each half


@dataclass(frozen=True)
class Distance:
    """Distance of negatives to the data: 0 for the same distribution, 1 for the data's spread."""

    value: float
    floor: float  # largest distance seen between two halves of the data itself: below is nothing


def distances_to_data(
    images: Tensor, negatives: Mapping[str, Tensor], *, generator: torch.Generator
) -> dict[str, Distance]:
    """Distances of each of `negatives` to `images`, both uint8 (N, 3, H, W), row by row.

    The images are cut at random into halves A and B, several times. A distance is the mean over
    these of the energy distance (Székely and Rizzo, 2013; unbiased) between the negatives made of
    A and the images B, divided by the mean distance between two images; the floor is the largest
    of those between the images A and B. Negatives of an image are thus never compared with the
    image they were made of.

    Raises `ShapeError` for fewer than four images, or negatives that do not match them.
    """
    for name, made in negatives.items():
        if made.shape != images.shape or len(images) < _LEAST:
            raise ShapeError(
                f"The distance to the data needs at least {_LEAST} images and a negative of each; "
                f"got {tuple(images.shape)} and, of {name}, {tuple(made.shape)}."
            )
    real = describe(images)
    mean, deviation = real.mean(dim=0), real.std(dim=0)
    deviation = torch.where(deviation > 0, deviation, 1)  # a feature that never varies
    real = (real - mean) / deviation
    features = {name: (describe(x) - mean) / deviation for name, x in negatives.items()}
    spread = torch.pdist(real).mean()
    halves = [_halves(len(images), generator) for _ in range(HALVINGS)]
    floor = max(float(energy_distance(real[a], real[b]) / spread) for a, b in halves)
    return {
        name: Distance(
            float(torch.stack([energy_distance(x[a], real[b]) for a, b in halves]).mean() / spread),
            floor,
        )
        for name, x in features.items()
    }


def describe(images: Tensor) -> Tensor:
    """Features float32 (N, 96) of images uint8 (N, 3, H, W), H and W at least 5.

    For each of 4 x 4 places and each colour its mean, and the mean step from pixel to pixel.
    """
    check_images(images, "Images to take distances of")
    return torch.cat([_describe(part) for part in torch.split(images, _PART)])


def _describe(images: Tensor) -> Tensor:
    x = to_float(images)
    steps = (x[:, :, 1:, :-1] - x[:, :, :-1, :-1]).abs() + (
        x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
    ).abs()
    colour, detail = (F.adaptive_avg_pool2d(part, GRID).flatten(1) for part in (x, steps))
    return torch.cat([colour, detail], dim=1)


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance of the distributions of `x` (n, D) and `y` (m, D); unbiased, so near 0 or
    a little below where they are one; otherwise positive.
    """
    return 2 * torch.cdist(x, y).mean() - torch.pdist(x).mean() - torch.pdist(y).mean()


def _halves(count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    order = torch.randperm(count, generator=rng)
    return order[: count // 2], order[count // 2 :]
