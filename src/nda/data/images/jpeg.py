"""One and the same JPEG pass for images that are to be compared.

Compression is a shortcut: a network that was trained on JPEG images can tell them from lossless
ones, or from images of another quality, by their 8 x 8 blocks alone. Images of every origin that
have gone through the same compression, at the same size, no longer differ in that.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nda.data.images.image_set import check_images
from nda.errors import ConfigError

_CHUNK = 256  # images a thread takes at once


def jpeg_pass(images: Tensor, quality: int = 75, *, threads: int | None = None) -> Tensor:
    """Images uint8 (N, 3, H, W) as a JPEG of that quality with 4:2:0 chroma gives them back.

    A new tensor of the same shape; the result depends on nothing but the pixels, the quality and
    Pillow's encoder. Raises `ConfigError` for a quality outside 1..95, Pillow's range, and
    `ShapeError` for other images.
    """
    if not 1 <= quality <= 95:
        raise ConfigError(f"The JPEG quality is {quality}; it must lie between 1 and 95.")
    check_images(images, "Images for the JPEG pass")
    pixels = images.cpu().permute(0, 2, 3, 1).contiguous().numpy()  # (N, H, W, 3)
    passed = np.empty_like(pixels)

    def compress(start: int) -> None:
        for index in range(start, min(start + _CHUNK, len(pixels))):
            passed[index] = _through_jpeg(pixels[index], quality)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(compress, range(0, len(pixels), _CHUNK)))  # the list raises what was raised
    return torch.from_numpy(passed).permute(0, 3, 1, 2).contiguous()


def _through_jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file, formats=("JPEG",)))
