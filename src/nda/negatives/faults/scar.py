"""Scar: a thin bar at any angle, of texture from elsewhere (Li et al., CutPaste, CVPR 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nda.negatives.base import Params, to_device_like
from nda.negatives.blemish import shifted
from nda.negatives.faults.fault import (
    Fault,
    covered,
    draw_light,
    draw_places,
    draw_shifts,
    draws,
    exactly,
    like,
    log_uniform,
    relit,
)
from nda.negatives.feather import over_planes

_LENGTH = (0.1, 0.5)  # of the shorter side
_WIDTH = (0.012, 0.06)
_THINNEST = 1.5  # pixels
_COVER = (0.5, 1.0)
_LIGHT = (0.1, 0.5)


class Scar(Fault):
    """Lay a thin bar of the image's own texture, from elsewhere and relit, across each image.

    It is 0.1 to 0.5 times the shorter side long and 1.2 to 6 % of it wide (log-uniform, but at
    least 1.5 pixels), turned at any angle, covers what is under it by 50 to 100 %, and is moved by
    10 to 50 % towards black or white (an even chance). The texture lies an eighth of the sides away
    or more.

    `draw` yields, for each sample, `centre` (B, 2) float32 (a pixel), `angle`, `length`, `width`,
    `light` and `cover` float32, and `shift` (B, 2) int64 in pixels.

    Examples:
        >>> images = 2 * torch.rand(2, 3, 64, 64) - 1
        >>> bool((nda.Scar(strength=0.5)(images) != images).any())
        True
    """

    name = "scar"

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        uniform = draws(x, generator)
        params = {
            "centre": draw_places(uniform, x),
            "angle": uniform(0, math.pi),
            "length": log_uniform(uniform, *_LENGTH),
            "width": log_uniform(uniform, *_WIDTH),
            "light": draw_light(uniform, *_LIGHT, bright=0.5),
            "cover": uniform(*_COVER),
            "shift": draw_shifts(uniform, x),
        }
        return {name: to_device_like(value, x) for name, value in params.items()}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        image, shape = exactly(x), self._shape(x, params)
        itself = torch.arange(len(x), device=x.device)
        texture = shifted(image, itself, params["shift"])
        cover = self.strength * params["cover"].view(-1, 1, 1, 1) * shape
        laid = image.lerp(texture, over_planes(cover, x).to(image.dtype))
        return self._relit(laid, shape, params, x)

    def null(self, x: Tensor, params: Params) -> Tensor:
        """The bar relit as drawn, but the texture is the one that is there."""
        self.check(x)
        return self._relit(exactly(x), self._shape(x, params), params, x)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 on the bar."""
        return (self._shape(x, params) > 0).float()

    def _relit(self, image: Tensor, shape: Tensor, params: Params, x: Tensor) -> Tensor:
        amount = over_planes(shape, x).to(image.dtype)
        return like(relit(image, amount, self.strength * params["light"], x), x)

    def _shape(self, x: Tensor, params: Params) -> Tensor:
        H, W = x.shape[-2:]
        across, along = turned(params["centre"], params["angle"], H, W)
        half = params["length"] * min(H, W) / 2, params["width"] * min(H, W) / 2
        length = half[0].clamp(min=_THINNEST)[:, None, None] + 0.5 - along.abs()
        width = half[1].clamp(min=_THINNEST / 2)[:, None, None] + 0.5 - across.abs()
        return covered(length.clamp(0, 1) * width.clamp(0, 1))[:, None]


def turned(centre: Tensor, angle: Tensor, H: int, W: int) -> tuple[Tensor, Tensor]:
    """Where each pixel lies `(B, H, W)`, seen from `centre` in a frame turned by `angle`.

    Down and across, in pixels; at angle 0 they are those of the image.
    """
    down = torch.arange(H, device=centre.device)[None, :, None] - centre[:, :1, None]
    across = torch.arange(W, device=centre.device)[None, None, :] - centre[:, 1:, None]
    sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
    return down * cosine - across * sine, down * sine + across * cosine
