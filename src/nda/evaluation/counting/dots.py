"""How many dots an image has, and whether dots keep their variety (paper, Appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nda.evaluation.counting.blobs import Blobs, find_blobs

_HUES = 12
_CELLS = 4  # a side


def count_dots(images: Tensor) -> Tensor:
    """The number of bright blobs of each image: uint8 `(N, 3, H, W)` to int64 `(N,)`.

    Exact on the images of `nda.data.draw_dots`. On generated ones: dots that have merged count
    once, dots fainter than half of full brightness and specks smaller than a quarter of the
    smallest dot are not counted. Raises `ShapeError` for other input.
    """
    owners = find_blobs(images).image
    return torch.from_numpy(np.bincount(owners, minlength=len(images)).astype(np.int64))


@dataclass(frozen=True)
class DotDiversity:
    """How varied the dots of many images are, each dot weighing the same; 0 where there are none.

    A model that counts better by drawing fewer colours or places shows here: compare with the
    same figures of real images.
    """

    hue_entropy: float  # bits, of 12 hues: at most log2(12) = 3.58
    saturation: float  # mean, in [0, 1]
    brightness: float  # mean of the brightest channel, in [0, 1]
    position_entropy: float  # bits, of the 4 x 4 cells the centres lie in: at most 4


def dot_diversity(images: Tensor) -> DotDiversity:
    """Colours and places of all dots that `count_dots` counts, over uint8 `(N, 3, H, W)`."""
    blobs = find_blobs(images)
    if not len(blobs.image):
        return DotDiversity(0.0, 0.0, 0.0, 0.0)
    hue, saturation, value = _hsv(blobs)
    cells = np.minimum((blobs.centre * _CELLS).astype(np.int64), _CELLS - 1)  # (K, 2)
    return DotDiversity(
        hue_entropy=_entropy((hue * _HUES).astype(np.int64) % _HUES),
        saturation=float(saturation.mean()),
        brightness=float(value.mean()),
        position_entropy=_entropy(cells[:, 1] * _CELLS + cells[:, 0]),
    )


def _hsv(blobs: Blobs) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    from matplotlib.colors import rgb_to_hsv

    hue, saturation, value = np.asarray(rgb_to_hsv(blobs.colour)).T
    return hue, saturation, value


def _entropy(bins: NDArray[np.int64]) -> float:
    """Entropy in bits of the distribution of non-negative whole numbers."""
    counts = np.bincount(bins)
    share = counts[counts > 0] / len(bins)
    return float(-(share * np.log2(share)).sum())
