"""Canny's edges and the distance to them, as OpenCV computes both, for a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

# Steps of a walk and their lengths, by which OpenCV approximates the Euclidean distance
_STEPS = {(0, 1): 1.0, (1, 1): 1.4, (1, 2): 2.1969}
_TAN_22_5 = math.tan(math.pi / 8)


def canny_edges(images: Tensor, low: float, high: float) -> Tensor:
    """Where there is an edge, bool `(N, 1, H, W)`, for uint8 images of one channel.

    Slopes are Sobel's with |dx| + |dy| as strength (Canny, 1986). A pixel above `low` that no
    neighbour along its slope exceeds is a candidate; candidates above `high` and all that touch
    them, at once or through others, are edges.
    """
    dx, dy = _slopes(images)
    strength = dx.abs() + dy.abs()
    candidates = (strength > low) & _is_ridge(strength, dx, dy)
    edges = candidates & (strength > high)
    while True:
        grown = candidates & (F.max_pool2d(edges.float(), 3, stride=1, padding=1) > 0)
        if torch.equal(grown, edges):
            return edges
        edges = grown


def distance_to(marked: Tensor) -> Tensor:
    """Distance in pixels to the nearest marked pixel of the same image, float `(N, 1, H, W)`.

    It is the length of the shortest walk in steps to the 8 neighbours and in knight's moves;
    infinite where nothing is marked.
    """
    away = torch.where(marked, 0.0, math.inf)
    H, W = marked.shape[-2:]
    while True:
        padded = F.pad(away, (2, 2, 2, 2), value=math.inf)
        nearer = away
        for (a, b), length in _STEPS.items():
            for down, right in {(y, x) for y in (a, -a) for x in (b, -b)} | {
                (y, x) for y in (b, -b) for x in (a, -a)
            }:
                window = padded[..., 2 + down : 2 + down + H, 2 + right : 2 + right + W]
                nearer = torch.minimum(nearer, window + length)
        if torch.equal(nearer, away):
            return away
        away = nearer


def _slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    padded = F.pad(images.float(), (1, 1, 1, 1), mode="replicate")
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    both = F.conv2d(padded, torch.stack([across, across.mT])[:, None])
    return both[:, :1], both[:, 1:]


def _is_ridge(strength: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Whether a pixel is a maximum of the strength along its slope, in one of four directions."""
    H, W = strength.shape[-2:]
    padded = F.pad(strength, (1, 1, 1, 1))

    def at(down: int, right: int) -> Tensor:
        return padded[..., 1 + down : 1 + down + H, 1 + right : 1 + right + W]

    level = dy.abs() < _TAN_22_5 * dx.abs()
    upright = dy.abs() > dx.abs() / _TAN_22_5
    along = dx * dy >= 0  # the slope runs from upper left to lower right
    # Of two equal neighbours the first in reading order is kept, except on a diagonal.
    across = (strength > at(0, -1)) & (strength >= at(0, 1))
    down = (strength > at(-1, 0)) & (strength >= at(1, 0))
    falling = (strength > at(-1, -1)) & (strength > at(1, 1))
    rising = (strength > at(-1, 1)) & (strength > at(1, -1))
    diagonal = torch.where(along, falling, rising)
    return torch.where(level, across, torch.where(upright, down, diagonal))
