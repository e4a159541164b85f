"""The simplest baseline of all: how far an image is from the nearest training image in pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ShapeError

SIDE = 32  # pixels to which images are brought first
_QUERIES = 256  # images reduced, or compared, at once


def pixel_distance(images: Tensor, training: Tensor) -> Tensor:
    """Euclidean distance of each image to the nearest training image, `(N,)`, high = anomalous.

    Both uint8 `(N, 3, H, W)` of one size, compared in grey at 32 x 32 (averaged), in units of the
    full range a pixel: root mean square over pixels. Raises `ShapeError` for others.
    """
    if images.dtype != torch.uint8 or training.dtype != torch.uint8:
        raise ShapeError(
            f"Pixels are compared as uint8, values 0 to 255; got {images.dtype} and "
            f"{training.dtype}. Convert with nda.data.to_uint8."
        )
    if images.shape[1:] != training.shape[1:] or not len(training):
        raise ShapeError(
            f"Pixels are compared at one size; got images {tuple(images.shape)} and training "
            f"images {tuple(training.shape)}."
        )
    bank = torch.cat([_reduced(part) for part in training.split(_QUERIES)])
    parts = [
        torch.cdist(_reduced(part), bank).amin(dim=1) / SIDE for part in images.split(_QUERIES)
    ]
    return torch.cat(parts)


def _reduced(images: Tensor) -> Tensor:
    grey = images.float().mean(dim=1, keepdim=True) / 255
    return F.interpolate(grey, (SIDE, SIDE), mode="bilinear", antialias=True).flatten(1)
