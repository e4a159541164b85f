"""Enlarging the middle of an image, as the original does for zoom blur and for snow flakes."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


def zoom_matrix(side: int, factor: float) -> Tensor:
    """The map of a line of `side` pixels to itself that zooms in, float64 `(side, side)`.

    The middle ceil(side / factor) pixels are stretched by linear interpolation, the outermost
    onto the outermost, and the middle `side` of the outcome is kept. Zooming is linear and acts on
    rows and columns alike: an image x becomes M x Mᵀ.
    """
    kept = math.ceil(side / factor)
    start = (side - kept) // 2
    stretched = ndimage.zoom(np.eye(kept), (factor, 1), order=1)  # (about kept · factor, kept)
    trim = (len(stretched) - side) // 2
    matrix = torch.zeros(side, side, dtype=torch.float64)
    matrix[:, start : start + kept] = torch.from_numpy(stretched[trim : trim + side])
    return matrix
