"""How many dots an image has, and whether dots keep their variety (paper, Appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nda.data.images.image_set import check_images
from nda.extras import needed

# Half of full brightness: the circle itself of an antialiased dot.
_THRESHOLD = 128

# A quarter of the area of the smallest dot that is drawn (radius 0.06 of the side); what is
# smaller is a speck.
_SMALLEST_AREA = 0.0028

_CHUNK = 2048  # images labelled at once


@dataclass(frozen=True)
class Blobs:
    """All K blobs of N images: `image` (K,) says whose, `colour` (K, 3) is the mean RGB in [0, 1].

    `centre` (K, 2) is the centre of mass as (x, y) in [0, 1], from the upper left corner.
    """

    image: NDArray[np.int64]
    colour: NDArray[np.float64]
    centre: NDArray[np.float64]


def find_blobs(images: Tensor) -> Blobs:
    """Connected regions (8 neighbours) of pixels whose brightest channel is 128 or more.

    `images` is uint8 `(N, 3, H, W)`. Regions below 0.28 % of the image, a quarter of the smallest
    dot that `nda.data.draw_dots` draws by default, are ignored. Raises `ShapeError` for another
    shape or type.
    """
    check_images(images, "Images to find blobs in")
    found = [
        _find(chunk.cpu().numpy(), number * _CHUNK)
        for number, chunk in enumerate(torch.split(images, _CHUNK))
    ]
    return Blobs(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _find(
    images: NDArray[np.uint8], start: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    with needed("Counting dots needs SciPy", "train"):
        from scipy import ndimage

    height, width = images.shape[2:]
    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1] = True  # neighbours within an image, none across images
    regions, count = ndimage.label(images.max(axis=1) >= _THRESHOLD, in_plane)
    image, y, x = np.nonzero(regions)
    region = regions[image, y, x] - 1
    area = np.bincount(region, minlength=count)
    owner = np.zeros(count, np.int64)
    owner[region] = image + start

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(region, values, minlength=count) / np.maximum(area, 1)

    colour = np.stack([mean(images[image, c, y, x] / 255) for c in range(3)], axis=1)
    centre = np.stack([mean((x + 0.5) / width), mean((y + 0.5) / height)], axis=1)
    large = area >= _SMALLEST_AREA * height * width
    return owner[large], colour[large], centre[large]


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
    with needed("The colours of dots need matplotlib", "train"):
        from matplotlib.colors import rgb_to_hsv

    hue, saturation, value = np.asarray(rgb_to_hsv(blobs.colour)).T
    return hue, saturation, value


def _entropy(bins: NDArray[np.int64]) -> float:
    """Entropy in bits of the distribution of non-negative whole numbers."""
    counts = np.bincount(bins)
    share = counts[counts > 0] / len(bins)
    return float(-(share * np.log2(share)).sum())
