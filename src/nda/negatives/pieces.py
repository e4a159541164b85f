"""Jigsaws whose tiles are unequal, or have wavy edges: pixel by pixel, where each comes from."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.negatives.base import Params, draw_device, to_device_like
from nda.negatives.feather import reflected
from nda.negatives.pixels.layout import pixels_at
from nda.negatives.seams import breaks, places


def draw_offset(x: Tensor, grid: int, generator: torch.Generator | None) -> Tensor:
    """How far down and to the right all cuts are moved, `(B, 2)`: up to half a tile."""
    device, moved = draw_device(x, generator), []
    for size in x.shape[-2:]:
        most = size // grid // 2
        moves = torch.randint(-most, most + 1, (x.shape[0],), generator=generator, device=device)
        moved.append(moves)
    return to_device_like(torch.stack(moved, dim=1), x)


def displaced(x: Tensor, grid: int, params: Params) -> tuple[Tensor, Tensor]:
    """How far down and to the right of each pixel of a jigsaw its source lies: `(B, H, W)` each.

    Tiles of unlike heights stay in bands, so all of a row of the result are equally high.
    """
    H, W = x.shape[-2:]
    order = params["permutation"].view(-1, grid, grid)
    row_of, column_of = order // grid, order % grid  # in the image
    offset = params.get("offset")
    down, across = (0, 0) if offset is None else offset.view(-1, 2, 1, 1).unbind(1)
    heights = _lengths(row_of, H // grid, grid, down)  # (B, grid, grid)
    widths = _lengths(column_of, W // grid, grid, across)
    top = heights.cumsum(dim=1) - heights  # in the result
    left = widths.cumsum(dim=2) - widths
    tile = min(H // grid, W // grid)
    row, column = places(x, params.get("waves"), tile if offset is None else tile - tile // 2)
    band = (row[..., None] >= top[:, None, None, 1:, 0]).sum(dim=-1)  # (B, H, 1 or W)
    lefts = left[torch.arange(left.shape[0], device=x.device)[:, None, None], band]
    place = band * grid + (column[..., None] >= lefts[..., 1:]).sum(dim=-1)  # (B, H, W)
    moves = (_starts(row_of, H // grid, down) - top, _starts(column_of, W // grid, across) - left)
    to_down, to_across = (m.flatten(1).gather(1, place.flatten(1)) for m in moves)
    return to_down.view(place.shape), to_across.view(place.shape)


def _lengths(tile: Tensor, size: int, grid: int, offset: Tensor | int) -> Tensor:
    """Of the tiles with these numbers along a side: only the first and the last are unlike."""
    return size + (tile == 0) * offset - (tile == grid - 1) * offset


def _starts(tile: Tensor, size: int, offset: Tensor | int) -> Tensor:
    return tile * size + (tile > 0) * offset


def broken(move: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Between which pixels the source does not run on, as `breaks`."""
    down, across = move
    return breaks(down * (2 * across.shape[-1]) + across)  # a number for each pair


def move_pixels(x: Tensor, move: tuple[Tensor, Tensor]) -> Tensor:
    """The pixels of `x` from `move` away; beyond the border the image is reflected."""
    H, W = x.shape[-2:]
    row = reflected(torch.arange(H, device=x.device)[:, None] + move[0], H)
    column = reflected(torch.arange(W, device=x.device) + move[1], W)
    return pixels_at(x, row * W + column)
