"""The nearest training images of a generated one: does a model draw, or copy?"""

from __future__ import annotations

from dataclasses import dataclass

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


_CHUNK = 1024  # images of the gallery compared at once


@dataclass(frozen=True)
class Nearest:
    """The k nearest images of each query, nearest first.

    `index` (N, k) int64 are places in the gallery; `distance` (N, k) float64 is the root mean
    square difference over pixels and channels, 0 for a copy and at most 1.
    """

    index: Tensor
    distance: Tensor


def nearest_images(
    queries: Tensor, gallery: Tensor, k: int = 1, *, device: torch.device | str = "cpu"
) -> Nearest:
    """Search all of `gallery` uint8 (M, ...) for the `k` nearest to each of `queries` (N, ...).

    The search is exact, as whole numbers are in double precision; of equally near images any may
    come first. Raises `ShapeError` for other types, shapes that differ, or a gallery of fewer than
    `k` images.
    """
    _check(queries, gallery, k)
    dtype = torch.float64
    device = "cpu" if torch.device(device).type == "mps" else device  # which has no doubles
    asked = queries.flatten(1).to(device, dtype)  # (N, D)
    best = torch.empty(len(queries), 0, dtype=dtype, device=device)
    index = torch.empty(len(queries), 0, dtype=torch.int64, device=device)
    for number, chunk in enumerate(gallery.split(_CHUNK)):
        known = chunk.flatten(1).to(device, dtype)
        squares = (
            asked.square().sum(1, keepdim=True) - 2 * asked @ known.T + known.square().sum(1)
        )  # (N, chunk)
        here = torch.arange(len(known), device=device).expand(len(queries), -1) + number * _CHUNK
        best, index = torch.cat([best, squares], 1), torch.cat([index, here], 1)
        best, order = best.topk(min(k, best.shape[1]), dim=1, largest=False)
        index = index.gather(1, order)
    distance = best.clamp(min=0).div(asked.shape[1]).sqrt() / 255
    return Nearest(index.cpu(), distance.cpu())


def _check(queries: Tensor, gallery: Tensor, k: int) -> None:
    if queries.dtype != torch.uint8 or gallery.dtype != torch.uint8:
        raise ShapeError(
            f"Nearest images are searched among uint8 images; got {queries.dtype} and "
            f"{gallery.dtype}. Convert with nda.data.to_uint8."
        )
    if queries.dim() < 2 or queries.shape[1:] != gallery.shape[1:]:
        raise ShapeError(
            f"Nearest images are searched among images of one shape (N, ...); got "
            f"{tuple(queries.shape)} and {tuple(gallery.shape)}."
        )
    if not 1 <= k <= len(gallery):
        raise ShapeError(f"{k} nearest of {len(gallery)} images were asked for; ask for 1 or more.")
