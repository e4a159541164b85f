"""Pixelation and JPEG, both by Pillow as in the original. Neither draws."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

PIXELATE = (0.95, 0.9, 0.85, 0.75, 0.65)  # side of the small image, of the image's own
JPEG_COMPRESSION = (80, 65, 58, 50, 40)  # quality; chroma at half the resolution (4:2:0)


def pixelate(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
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


def jpeg_compression(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
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
