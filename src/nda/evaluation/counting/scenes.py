"""How varied the objects in scenes on a plain ground are, in colour and in place.

Nothing is learned or recognised: a pixel belongs to an object where it differs clearly from its
row, since the ground is alike along a row. A model that counts better by drawing fewer colours or
places shows here: compare with the same figures of real images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nda.data.images.image_set import check_images

CLEAR = 32  # levels of 255 by which a channel must differ from its row's median
VIVID = 0.3  # saturation from which on a pixel has a hue
_HUES = 12
_CELLS = 8  # a side
_PART = 500  # images looked at together


@dataclass(frozen=True)
class SceneDiversity:
    """How varied the pixels of objects are, over many images; 0 where there are none."""

    hue_entropy: float  # bits, of 12 hues of vivid pixels: at most log2(12) = 3.58
    saturation: float  # mean, in [0, 1]
    position_entropy: float  # bits, of the 8 x 8 cells the pixels lie in: at most 6


def scene_diversity(images: Tensor) -> SceneDiversity:
    """Colours and places of the pixels that show objects, in uint8 (N, 3, H, W).

    Every pixel of an object weighs the same; grey objects have a place and a saturation but no
    hue. Raises `ShapeError` for other input.
    """
    check_images(images, "Images to measure diversity on")
    hues, cells = torch.zeros(_HUES, dtype=torch.int64), torch.zeros(_CELLS**2, dtype=torch.int64)
    saturation = 0.0
    for part in torch.split(images.cpu(), _PART):
        shown = object_pixels(part)
        colours = part.permute(0, 2, 3, 1)[shown]  # (K, 3)
        hue, vividness = _hue_and_saturation(colours)
        hues += torch.bincount(hue[vividness >= VIVID], minlength=_HUES)
        cells += torch.bincount(_cells(shown), minlength=_CELLS**2)
        saturation += float(vividness.sum())
    return SceneDiversity(
        hue_entropy=_entropy(hues),
        saturation=saturation / max(1, int(cells.sum())),
        position_entropy=_entropy(cells),
    )


def object_pixels(images: Tensor) -> Tensor:
    """Which pixels show objects: bool (N, H, W) of images uint8 (N, 3, H, W)."""
    x = images.to(torch.int16)
    return ((x - x.median(dim=3, keepdim=True).values).abs() >= CLEAR).any(dim=1)


def _cells(shown: Tensor) -> Tensor:
    """The cell of every pixel that is shown, int64 (K,)."""
    _, rows, columns = shown.nonzero(as_tuple=True)
    height, width = shown.shape[-2:]
    return rows * _CELLS // height * _CELLS + columns * _CELLS // width


def _hue_and_saturation(colours: Tensor) -> tuple[Tensor, Tensor]:
    """Hue as a bin, int64 (K,), and saturation in [0, 1] (K,), of colours uint8 (K, 3)."""
    red, green, blue = colours.double().unbind(dim=1)
    high, low = colours.double().amax(dim=1), colours.double().amin(dim=1)
    spread = (high - low).clamp(min=1)
    hue = torch.where(
        high == red,
        (green - blue) / spread % 6,
        torch.where(high == green, (blue - red) / spread + 2, (red - green) / spread + 4),
    )
    return (hue * _HUES / 6).long() % _HUES, (high - low) / high.clamp(min=1)


def _entropy(counts: Tensor) -> float:
    """Entropy in bits of a histogram."""
    share = counts[counts > 0].double() / max(1, int(counts.sum()))
    return float(-(share * share.log2()).sum()) + 0.0  # no minus zero
