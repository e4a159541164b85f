"""Crack: a thin, jagged, branching line, darker than its surroundings, or lighter."""

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
    like,
    log_uniform,
    relit,
)
from nda.negatives.feather import over_planes

_BRANCHES = 3  # at most
_CHANCE = 0.5  # that one of them is there
_STEPS = 24  # straight pieces of a path
_WANDER, _JAG = 0.12, 0.4  # radians a step: of the course, and of each piece about it
_LENGTH = (0.2, 1.0)  # of the shorter side
_EXTENT = (0.15, 0.5)  # of a branch, as a share of the length
_FORK = (0.4, 1.2)  # radians between a branch and the path that it leaves
_WIDTH = (0.006, 0.02)  # of the shorter side
_PIXELS = (1.0, 5.0)  # whatever that comes to
_LIGHT = (0.35, 0.9)
_BRIGHT = 0.25  # chance to be lighter than the surroundings


class Crack(Fault):
    """Draw a thin line that wanders, tapers and branches across each image.

    Its length is 0.2 to 1 times the shorter side (log-uniform), its width 0.6 to 2 % of it but 1 to
    5 pixels, its direction any; up to three branches leave it. Three in four are darker than what
    they cross, by 35 to 90 % of the way to black, the others lighter. A part of it lies in the
    image always.

    `draw` yields, for each sample, `centre` (B, 2) float32 (a pixel), `angle`, `length`, `width`,
    `light`, all float32, `turns` (B, 4, 24) float32 (of the path and of its branches), `at` (B, 3),
    `fork` (B, 3) and `extent` (B, 3) float32 (0 where a branch is missing).

    Examples:
        >>> images = torch.zeros(2, 1, 64, 64)
        >>> crack = nda.Crack()
        >>> params = crack.draw(images)
        >>> crack.mask(images, params).shape  # for a network that says where
        torch.Size([2, 1, 64, 64])
    """

    name = "crack"

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        uniform = draws(x, generator)
        side = math.sqrt(3)  # of a uniform law of variance 1
        fork = uniform(*_FORK, _BRANCHES)
        there = uniform(0, 1, _BRANCHES) < _CHANCE
        params = {
            "centre": draw_places(uniform, x),
            "angle": uniform(0, 2 * math.pi),
            "length": log_uniform(uniform, *_LENGTH),
            "width": log_uniform(uniform, *_WIDTH),
            "light": draw_light(uniform, *_LIGHT, _BRIGHT),
            "turns": uniform(-side, side, 1 + _BRANCHES, _STEPS),
            "at": uniform(0.1, 0.9, _BRANCHES),
            "fork": torch.where(uniform(0, 1, _BRANCHES) < 0.5, fork, -fork),
            "extent": torch.where(there, uniform(*_EXTENT, _BRANCHES), 0),
        }
        return {name: to_device_like(value, x) for name, value in params.items()}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        image = exactly(x)
        amount = over_planes(self._shape(x, params), x).to(image.dtype)
        return like(relit(image, amount, self.strength * params["light"], x), x)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 on the line and its branches."""
        return (self._shape(x, params) > 0).float()

    def _shape(self, x: Tensor, params: Params) -> Tensor:
        """How much of each pixel the crack covers, and how deeply: `(B, 1, H, W)`."""
        H, W = x.shape[-2:]
        side = min(H, W)
        point, width = paths(params, side)
        return covered(dotted(point.flatten(1, 2), width.flatten(1, 2), H, W))


def paths(params: Params, side: int) -> tuple[Tensor, Tensor]:
    """Points along the path and its branches `(B, 4, P, 2)`, half a pixel apart or closer, and how
    wide the line is at each `(B, 4, P)`, in pixels of images whose shorter side is `side`.
    """
    turns, length = params["turns"], params["length"][:, None] * side
    own = turns.cumsum(-1) * _WANDER + turns.roll(1, -1) * _JAG  # (B, 4, steps)
    course = own + params["angle"][:, None, None]
    knot = (params["at"] * _STEPS).long()  # (B, 3): where a branch begins
    fork = params["fork"] + turns[:, 0].cumsum(-1).gather(1, knot) * _WANDER
    course = course + torch.cat([torch.zeros_like(fork[:, :1]), fork], dim=1)[..., None]
    reach = length * torch.cat([torch.ones_like(length), params["extent"]], dim=1)  # (B, 4)
    step = torch.stack([course.sin(), course.cos()], dim=-1) * (reach / _STEPS)[..., None, None]
    end = step.cumsum(-2)  # of every piece, (B, 4, steps, 2)
    main = end[:, 0] - end[:, :1, _STEPS // 2 - 1] + params["centre"][:, None]  # middle: the centre
    begin = main.gather(1, knot[..., None].expand(-1, -1, 2))
    start = torch.cat([(main[:, 0] - step[:, 0, 0])[:, None], begin], dim=1)  # (B, 4, 2)
    knots = start[:, :, None] + end
    between = max(1, math.ceil(2 * _LENGTH[1] * side / _STEPS))  # points a piece
    back = torch.arange(between, device=turns.device) / between
    point = knots[..., None, :] - step[..., None, :] * back[:, None]  # from the end of a piece
    along = (torch.arange(_STEPS, device=turns.device)[:, None] + 1 - back) / _STEPS
    thick = (params["width"] * side).clamp(*_PIXELS)[:, None]
    taper = 1 - (2 * along - 1).square()  # nothing at both ends
    width = torch.cat([taper[None], (0.8 - 0.8 * along)[None].expand(_BRANCHES, -1, -1)])
    rough = 1 + 0.2 * turns[..., None]
    rough[:, 0, _STEPS // 2 - 1] = 1  # in the middle it is as wide as drawn
    width = thick[..., None, None] * (width.sqrt() * rough) * (reach > 0)[..., None, None]
    return point.flatten(2, 3), width.flatten(2, 3)


def dotted(point: Tensor, width: Tensor, H: int, W: int) -> Tensor:
    """How much of each pixel `(B, 1, H, W)` is covered by discs `(B, P, 2)` of a `width` `(B, P)`.

    Discs narrower than a pixel cover a part of one. Those outside the image count for nothing.
    """
    B, most = len(point), math.ceil(_PIXELS[1] * 1.4 / 2)
    most = min(most, math.ceil(max(_PIXELS[0], _WIDTH[1] * min(H, W)) * 1.4 / 2 + 0.5))
    offset = torch.arange(-most, most + 1, device=point.device)
    nearest = point.round()
    row = nearest[..., :1] + offset  # (B, P, K)
    column = nearest[..., 1:] + offset
    down, across = row - point[..., :1], column - point[..., 1:]
    distance = (down.square()[..., :, None] + across.square()[..., None, :]).sqrt()
    thick = width[..., None, None]
    share = (thick / 2 + 0.5 - distance).clamp(0, 1) * thick.clamp(max=1)
    inside = ((row >= 0) & (row < H))[..., :, None] & ((column >= 0) & (column < W))[..., None, :]
    place = row.clamp(0, H - 1)[..., :, None] * W + column.clamp(0, W - 1)[..., None, :]
    drawn = torch.zeros(B, H * W, device=point.device)
    share = torch.where(inside, share, 0).flatten(1)
    return drawn.scatter_reduce(1, place.long().flatten(1), share, "amax").view(B, 1, H, W)
