"""The random jitter of pix2pix: enlarge, cut out at a random place, mirror; alike for a pair."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ENLARGED = 286 / 256  # as published: 256 pixels become 286, of which 256 are cut out


def jitter_pairs(
    photos: Tensor, labels: Tensor, rng: torch.Generator, *, smooth_labels: bool
) -> tuple[Tensor, Tensor]:
    """Photographs and labels, both floating `(B, C, R, R)`, jittered by one draw a pair.

    Photographs are enlarged bilinearly; labels by the nearest pixel, so that no colours between
    those of classes arise, unless `smooth_labels`. Half of the pairs are mirrored.
    """
    count, side = len(photos), photos.shape[-1]
    large = round(side * ENLARGED)
    device = rng.device
    shape = (2, count, 1)
    start = torch.randint(large - side + 1, shape, generator=rng, device=device)
    mirrored = torch.randint(2, (count, 1), generator=rng, device=device) == 1
    place = torch.arange(side, device=device)
    rows = start[0] + place
    columns = start[1] + torch.where(mirrored, side - 1 - place, place)
    cut = [
        _cut(_enlarged(images, large, smooth), rows.to(images.device), columns.to(images.device))
        for images, smooth in ((photos, True), (labels, smooth_labels))
    ]
    return cut[0], cut[1]


def _enlarged(images: Tensor, side: int, smooth: bool) -> Tensor:
    if smooth:
        return F.interpolate(images, (side, side), mode="bilinear")
    return F.interpolate(images, (side, side), mode="nearest-exact")


def _cut(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Rows `(B, R)` and columns `(B, R)` of each image."""
    batch = torch.arange(len(images), device=images.device).view(-1, 1, 1, 1)
    channel = torch.arange(images.shape[1], device=images.device).view(1, -1, 1, 1)
    return images[batch, channel, rows[:, None, :, None], columns[:, None, None, :]]
