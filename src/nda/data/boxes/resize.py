"""Images brought to a shorter side, and their boxes with them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def resized(image: Tensor, boxes: Tensor, *, shorter: int, longest: int) -> tuple[Tensor, Tensor]:
    """Image `(3, H, W)`, floating, with a shorter side of `shorter` pixels, and boxes `(n, 4)`.

    The longer side is `longest` at most: then the shorter one is smaller than asked for. Bilinear
    and antialiased.
    """
    height, width = image.shape[-2:]
    scale = min(shorter / min(height, width), longest / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if size != (height, width):
        image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    ratio = boxes.new_tensor([size[1] / width, size[0] / height]).repeat(2)
    return image, boxes * ratio
