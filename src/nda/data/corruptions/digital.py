"""Pixelation and JPEG, both by Pillow as in the original. Neither draws."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nda.data.corruptions.levels import to_levels, to_unit

PIXELATE = (0.95, 0.9, 0.85, 0.75, 0.65)  # side of the small image, of the image's own

JPEG_COMPRESSION = (80, 65, 58, 50, 40)  # quality; chroma at half the resolution (4:2:0)


def pixelate(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Made smaller and larger again: a pixel is the mean of those whose centres it covers."""
    share = PIXELATE[severity - 1]
    height, width = images.shape[-2:]
    small = int(width * share), int(height * share)
    return _each(
        images,
        lambda image: image.resize(small, Image.Resampling.BOX).resize(
            (width, height), Image.Resampling.BOX
        ),
    )


def jpeg_compression(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Written as JPEG and read back."""

    def through_jpeg(image: Image.Image) -> Image.Image:
        file = BytesIO()
        image.save(file, "JPEG", quality=JPEG_COMPRESSION[severity - 1])
        return Image.open(file)

    return _each(images, through_jpeg)


def _each(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    pictures = images.permute(0, 2, 3, 1).contiguous().numpy()
    out = np.empty_like(pictures)
    for index, picture in enumerate(pictures):
        out[index] = change(Image.fromarray(picture))
    return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous()


BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3)  # added to the value of HSV

CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)  # factor on the distance to the channel's mean

# factor on the saturation of HSV, and what is added to it
SATURATE = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))


def brightness(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """HSV's value raised by a constant and cut at 1; hue and saturation stay."""
    x = to_unit(images)
    value = x.amax(1, keepdim=True)
    raised = (value + BRIGHTNESS[severity - 1]).clamp_(max=1)
    shares = torch.where(value > 0, x / value, 1.0)  # black becomes grey
    return to_levels(raised * shares)


def saturate(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """HSV's saturation times a factor plus a constant, cut to [0, 1]; hue and value stay.

    The first two severities wash out, the others overdraw. Grey has no hue: HSV writes 0, which is
    red, so severities 4 and 5 tint grey reddish, as they do in CIFAR-10-C.
    """
    factor, added = SATURATE[severity - 1]
    x = to_unit(images)
    value = x.amax(1, keepdim=True)
    chroma = value - x.amin(1, keepdim=True)
    saturation = torch.where(value > 0, chroma / value, 0.0)
    # How far each channel lies below the value, as a share of the farthest one's way.
    red = torch.tensor([0.0, 1.0, 1.0], dtype=x.dtype).view(3, 1, 1)
    depth = torch.where(chroma > 0, (value - x) / chroma, red)
    return to_levels(value * (1 - (saturation * factor + added).clamp_(0, 1) * depth))


def contrast(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Every channel drawn towards its own mean over the image."""
    x = to_unit(images)
    mean = x.mean(dim=(2, 3), keepdim=True)
    return to_levels((x - mean) * CONTRAST[severity - 1] + mean)
