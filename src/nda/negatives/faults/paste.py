"""Paste: a patch of the image itself, moved, resized and blended without a seam.

After natural synthetic anomalies (Schlüter et al., NSA, ECCV 2022), which takes its patches from
other images and grades its labels by how much a pixel changed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nda.errors import ConfigError
from nda.negatives.base import Params, to_device_like
from nda.negatives.faults.fault import Fault, draw_shifts, draws, ends, exactly, like
from nda.negatives.faults.membrane import (
    boxed,
    cut_out,
    draw_inner_boxes,
    longest,
    membrane,
    put_back,
    sampled,
)
from nda.negatives.feather import over_planes

_SIDES = (0.06, 0.35)
_ZOOM = (0.7, 1.3)
_HALFWAY, _STEEP = 24 / 255, 255 / 12  # of the logistic label: change in shares of the range


class Paste(Fault):
    """Fill a box of each image with another part of it, resized, and blend that in.

    The sides of the box are 6 to 35 % of the image's, log-uniform. The patch lies an eighth of the
    sides away or more and is shown at 0.77 to 1.43 times its size. Inside the box the image has the
    gradients of the patch, and at its edge there is no step. A `strength` below 1 mixes the result
    with what was there.

    `labels="graded"` makes the mask say how much a pixel changed: the logistic function of the mean
    change over the channels (and frames), one half at 24 of 255 grey levels, within the box.

    `draw` yields, for each sample, `box` (B, 4) int64 (top, left, height, width), `shift` (B, 2)
    int64 in pixels and `zoom` float32.

    Raises:
        ConfigError: unless 0.1 <= strength <= 1 and `labels` is binary or graded.

    Examples:
        >>> images = 2 * torch.rand(2, 3, 64, 64) - 1
        >>> paste = nda.Paste(labels="graded")
        >>> params = paste.draw(images)
        >>> mask = paste.mask(images, params)  # how much, not only where
        >>> bool(0 <= mask.min() and mask.max() <= 1)
        True
    """

    name = "paste"

    def __init__(self, strength: float = 1.0, *, labels: str = "binary") -> None:
        super().__init__(strength)
        if labels not in ("binary", "graded"):
            raise ConfigError(f"paste was given labels={labels}; expected binary or graded")
        self.labels = labels

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        uniform = draws(x, generator)
        params = {
            "box": draw_inner_boxes(uniform, x, *_SIDES),
            "shift": draw_shifts(uniform, x),
            "zoom": uniform(*_ZOOM),
        }
        return {name: to_device_like(value, x) for name, value in params.items()}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        image, box = exactly(x), params["box"]
        largest = [longest(size, _SIDES[1]) for size in x.shape[-2:]]
        patch = sampled(image, box, params["shift"], params["zoom"], *largest)
        missing = membrane(cut_out(image, box, *largest) - patch, box)
        blended = put_back(image, patch[..., 1:-1, 1:-1] + missing, box)
        result = image.lerp(blended.clamp(*ends(x)), self.strength)
        return like(torch.where(over_planes(boxed(x, box), x), result, image), x)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 inside the box, or how much of it changed."""
        inside = boxed(x, params["box"]).float()
        if self.labels == "binary":
            return inside[:, None]
        black, white = ends(x)
        change = (exactly(self.replay(x, params)) - exactly(x)).abs() / (white - black)
        change = change.flatten(1, -3).mean(1).float()
        return (_STEEP * (change - _HALFWAY)).sigmoid().mul(inside)[:, None]

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.labels == "binary" else f", labels={self.labels}")
