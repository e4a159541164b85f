"""Every negative of some images, in a row each below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from nda.negatives import Negative
from nda.report.pictures.grid import image_grid, refuse_large_picture


@dataclass(frozen=True)
class Preview:
    """A labelled picture of images, or frames of a video, and of the negatives made of them.

    `images` uint8 (N, 3, H, W) are the first row, `negatives` of the same shape the others by
    their names; `refused` says of those left out why.
    """

    picture: Image.Image
    images: Tensor
    negatives: Mapping[str, Tensor]
    refused: Mapping[str, str]
    summary: str = ""
    notes: Sequence[str] = ()

    def _repr_png_(self) -> bytes | None:
        """The picture, in notebooks."""
        return self.picture._repr_png_()


def preview_negatives(
    images: Tensor,
    negatives: Mapping[str, Negative],
    *,
    generator: torch.Generator,
    refused: Mapping[str, str] | None = None,
) -> Preview:
    """Negatives of images uint8 (N, 3, H, W), N at least 2; raises `ShapeError` where none is.

    Raises `ConfigError` where the picture would have more pixels than a PNG file should.
    """
    refuse_large_picture(len(images), 1 + len(negatives), images.shape[-1])
    made = {name: negative(images, generator=generator) for name, negative in negatives.items()}
    return drawn(images, made, refused or {})


def drawn(
    images: Tensor,
    made: Mapping[str, Tensor],
    refused: Mapping[str, str],
    column_labels: Sequence[str] = (),
) -> Preview:
    """The picture of images and of what was made of them."""
    labels = ["real", *(name.replace("_", " ") for name in made)]
    rows = torch.cat([images, *made.values()])
    grid = image_grid(rows, len(images), row_labels=labels, column_labels=column_labels or None)
    return Preview(grid, images, made, refused)
