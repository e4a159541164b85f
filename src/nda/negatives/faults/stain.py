"""Stain: an irregular spot that lets the texture through, darker or lighter, often at its rim."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nda.negatives.base import Params, to_device_like
from nda.negatives.faults.fault import (
    Fault,
    covered,
    draw_light,
    draw_places,
    draws,
    exactly,
    grey,
    like,
    log_uniform,
    relit,
)
from nda.negatives.faults.perlin import draw_perlin, perlin
from nda.negatives.faults.scar import turned
from nda.negatives.feather import over_planes

_RADIUS = (0.03, 0.22)  # of the shorter side
_SMALLEST = 1.5  # pixels
_STRETCH = (1.0, 2.0)  # how much longer than wide
_CELLS = (3.0, 12.0)  # of the noise that makes the outline irregular
_RAGGED = 0.8  # how much that noise has to say; below 1, so that no stain is empty
_SOFT = (0.1, 0.8)  # share of its height over which it fades in
_RIM = (0.0, 0.7)  # by how much its middle is paler than its rim
_LIGHT = (0.2, 0.7)
_BRIGHT = 0.25
_TINT = (0.4, 1.0)


class Stain(Fault):
    """Put an irregular, soft spot on each image, through which its own texture shows.

    Its radius is 3 to 22 % of the shorter side, log-uniform; it is up to twice as long as wide,
    turned at any angle, with a ragged outline (`perlin`), and up to 70 % paler in the middle.
    Three in four are darker, by 20 to 70 % of the way to black, the others lighter, each channel
    by 40 to 100 % of that; what is grey stays grey. Blemish, unlike it, covers an image with
    texture from elsewhere.

    `draw` yields, for each sample, `centre` (B, 2) float32 (a pixel), `radius`, `stretch`, `angle`,
    `soft`, `rim` and `light` float32, `tint` (B, C) float32, and `direction` and `cells` of
    `draw_perlin`.

    Examples:
        >>> grey = torch.full((2, 3, 64, 64), 0.5)
        >>> bool((nda.Stain()(grey) != grey).flatten(1).any(1).all())
        True
    """

    name = "stain"

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        uniform = draws(x, generator)
        params = {
            "centre": draw_places(uniform, x),
            "radius": log_uniform(uniform, *_RADIUS),
            "stretch": uniform(*_STRETCH),
            "angle": uniform(0, math.pi),
            "soft": uniform(*_SOFT),
            "rim": uniform(*_RIM),
            "light": draw_light(uniform, *_LIGHT, _BRIGHT),
            "tint": uniform(*_TINT, x.shape[-3]),
            **draw_perlin(uniform, *_CELLS),
        }
        return {name: to_device_like(value, x) for name, value in params.items()}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        image = exactly(x)
        tint = params["tint"].view(len(x), *[1] * (x.dim() - 4), -1, 1, 1)
        tint = torch.where(grey(x), 1, tint)
        amount = (over_planes(self._shape(x, params), x) * tint).to(image.dtype)
        return like(relit(image, amount, self.strength * params["light"], x), x)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 wherever the stain is."""
        return (self._shape(x, params) > 0).float()

    def _shape(self, x: Tensor, params: Params) -> Tensor:
        H, W = x.shape[-2:]
        short = (params["radius"] * min(H, W)).clamp(min=_SMALLEST)[:, None, None]
        down, across = turned(params["centre"], params["angle"], H, W)
        away = (down / short).square() + (
            across / short / params["stretch"][:, None, None]
        ).square()
        noise = perlin(params["direction"], params["cells"], H, W)
        height = 1 - away + _RAGGED * noise
        rise = (height / params["soft"][:, None, None]).clamp(0, 1)
        pale = 1 - params["rim"][:, None, None] * height.clamp(0, 1)
        return covered(rise * pale)[:, None]
