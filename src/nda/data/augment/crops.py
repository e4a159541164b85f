"""Random resized crops and flips of a whole batch, each image with a draw of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ShapeError

ATTEMPTS = 10  # at a crop that fits into the image, as torchvision
RATIO = (3 / 4, 4 / 3)  # of width to height

_Range = tuple[float, float]


@dataclass(frozen=True)
class Crops:
    """What was drawn for a batch: boxes in whole pixels, and which images are mirrored."""

    boxes: Tensor  # int64 (B, 4): top, left, height, width
    mirrored: Tensor  # bool (B,)


def crop_and_flip(
    x: Tensor,
    *,
    scale: _Range = (0.2, 1.0),
    flip: float = 0.5,
    size: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A random crop of each image, resized to `size` (default: as before), mirrored by chance.

    `x` is floating `(B, C, H, W)`; the result is `(B, C, size, size)`. The distribution is that of
    torchvision's `RandomResizedCrop` and `RandomHorizontalFlip` on each image; the resizing is
    bilinear and not antialiased, so images should not be much larger than `size`.

    Raises `ShapeError` for other tensors.
    """
    return cut(x, draw_crops(x, scale=scale, flip=flip, generator=generator), size)


def draw_crops(
    x: Tensor,
    *,
    scale: _Range = (0.2, 1.0),
    flip: float = 0.5,
    generator: torch.Generator | None = None,
) -> Crops:
    """A crop for each image of `x`: a share of the area in `scale`, an aspect in 3/4 to 4/3.

    The first of ten attempts that fits is taken; where none does, the largest middle part of
    allowed aspect.
    """
    _check(x)
    batch, (height, width) = len(x), x.shape[-2:]
    device = x.device if generator is None else generator.device
    draws = torch.rand(5, batch, ATTEMPTS, generator=generator, device=device)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * draws[0])
    low, high = (math.log(ratio) for ratio in RATIO)
    ratio = torch.exp(low + (high - low) * draws[1])
    heights, widths = (area / ratio).sqrt().round(), (area * ratio).sqrt().round()
    fits = (heights >= 1) & (heights <= height) & (widths >= 1) & (widths <= width)
    first = fits.byte().argmax(dim=1, keepdim=True)

    def chosen(values: Tensor, otherwise: int) -> Tensor:
        return torch.where(fits.any(dim=1), values.gather(1, first)[:, 0], float(otherwise))

    middle = _middle(height, width)
    tall, wide = chosen(heights, middle[2]), chosen(widths, middle[3])
    # The place of a crop that was not found by chance is the middle.
    top = chosen((draws[2] * (height - heights + 1)).floor(), middle[0])
    left = chosen((draws[3] * (width - widths + 1)).floor(), middle[1])
    boxes = torch.stack([top, left, tall, wide], dim=1).long()
    mirrored = draws[4, :, 0] < flip
    return Crops(boxes.to(x.device, non_blocking=x.is_cuda), mirrored.to(x.device))


def cut(x: Tensor, crops: Crops, size: int | None = None) -> Tensor:
    """The boxes of `x` `(B, C, H, W)`, resized to `size`; mirrored where it was drawn."""
    _check(x)
    height, width = x.shape[-2:]
    if size is None and height != width:
        raise ShapeError(f"Crops of images of {height} x {width} need a size; give one.")
    side = size or height
    top, left, tall, wide = (each[:, None] for each in crops.boxes.float().unbind(dim=1))
    place = (torch.arange(side, device=x.device) + 0.5) / side  # centres, in (0, 1)
    across = torch.where(crops.mirrored[:, None], 1 - place, place)
    rows = top + _inside(place * tall - 0.5, tall)  # (B, side), in pixels
    columns = left + _inside(across * wide - 0.5, wide)
    grid = torch.stack(
        [
            (2 * columns / max(width - 1, 1) - 1)[:, None, :].expand(-1, side, -1),
            (2 * rows / max(height - 1, 1) - 1)[:, :, None].expand(-1, -1, side),
        ],
        dim=-1,
    )
    return F.grid_sample(x, grid.to(x.dtype), padding_mode="border", align_corners=True)


def _inside(places: Tensor, length: Tensor) -> Tensor:
    """Places within a box, which therefore takes nothing from beyond its edges."""
    return torch.minimum(places.clamp(min=0), length - 1)


def _middle(height: int, width: int) -> tuple[int, int, int, int]:
    """The largest middle part whose aspect is allowed: top, left, height, width."""
    tall, wide = height, width
    if width / height < RATIO[0]:
        tall = round(width / RATIO[0])
    elif width / height > RATIO[1]:
        wide = round(height * RATIO[1])
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def _check(x: Tensor) -> None:
    if x.dim() != 4 or not x.is_floating_point():
        raise ShapeError(
            f"Crops are taken of floating images (B, C, H, W); got {x.dtype} of shape "
            f"{tuple(x.shape)}."
        )
