"""Perlin noise, a lattice of its own for each sample (Perlin, SIGGRAPH 1985)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nda.negatives.faults.fault import Uniform, log_uniform

MOST_CELLS = 16  # along a side


def draw_perlin(uniform: Uniform, low: float, high: float) -> dict[str, Tensor]:
    """A lattice of directions and how many of its cells (log-uniform) there are along each side.

    `direction` `(B, 17, 17)` in radians, `cells` `(B, 2)` float32: down, across.
    """
    return {
        "direction": uniform(0, 2 * math.pi, MOST_CELLS + 1, MOST_CELLS + 1),
        "cells": log_uniform(uniform, low, high, 2),
    }


def perlin(direction: Tensor, cells: Tensor, H: int, W: int) -> Tensor:
    """The noise `(B, H, W)`, between -1 and 1, 0 at the lattice's own points."""
    B, points = len(direction), direction.shape[-1]
    place = [
        (torch.arange(size, device=cells.device) + 0.5) / size * cells[:, axis, None]
        for axis, size in enumerate((H, W))
    ]
    corner = [along.floor().clamp(max=points - 2) for along in place]
    part = [along - at for along, at in zip(place, corner, strict=True)]  # within the cell
    fade = [t * t * t * (t * (t * 6 - 15) + 10) for t in part]
    sine, cosine = direction.sin().flatten(1), direction.cos().flatten(1)
    rows = []
    for down in (0, 1):
        row = (corner[0].long() + down)[:, :, None] * points
        values = []
        for across in (0, 1):
            index = (row + (corner[1].long() + across)[:, None, :]).view(B, -1)
            slope = sine.gather(1, index).view(B, H, W), cosine.gather(1, index).view(B, H, W)
            values.append(
                slope[0] * (part[0] - down)[:, :, None] + slope[1] * (part[1] - across)[:, None, :]
            )
        rows.append(torch.lerp(values[0], values[1], fade[1][:, None, :].expand(B, H, W)))
    return math.sqrt(2) * torch.lerp(rows[0], rows[1], fade[0][:, :, None].expand(B, H, W))
