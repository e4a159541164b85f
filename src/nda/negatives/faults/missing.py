"""Missing: a part of the image is gone, and its surroundings close over the place."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.negatives.base import Params, to_device_like
from nda.negatives.faults.fault import Fault, draws, exactly, like
from nda.negatives.faults.membrane import (
    boxed,
    cut_out,
    draw_inner_boxes,
    longest,
    membrane,
    put_back,
)
from nda.negatives.feather import over_planes

_SIDES = (0.06, 0.35)


class Missing(Fault):
    """Take what is in a box out of each image and span the hole smoothly from its edge.

    The sides of the box are 6 to 35 % of the image's, log-uniform. The hole is filled by the
    membrane through the pixels around it, which has no texture. A `strength` below 1 leaves a rest
    of what was there.

    `draw` yields `box` (B, 4) int64: top, left, height, width.

    Examples:
        >>> plain = torch.full((2, 3, 64, 64), 0.5)
        >>> torch.allclose(nda.Missing()(plain), plain, atol=1e-4)  # a smooth hole
        True
    """

    name = "missing"

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        box = draw_inner_boxes(draws(x, generator), x, *_SIDES)
        return {"box": to_device_like(box, x)}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        image, box = exactly(x), params["box"]
        largest = [longest(size, _SIDES[1]) for size in x.shape[-2:]]
        filled = put_back(image, membrane(cut_out(image, box, *largest), box), box)
        result = image.lerp(filled, self.strength)
        return like(torch.where(over_planes(boxed(x, box), x), result, image), x)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 inside the box."""
        return boxed(x, params["box"]).float()[:, None]
