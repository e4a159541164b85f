"""Boxes of an image filled so that there is no step at their edge, a box of its own a sample.

A membrane stretched over a box from the values around it: the discrete Laplace equation with fixed
borders. The discrete sine transform solves it exactly, in four products of matrices for the whole
batch, although every box has a size of its own. With a patch laid over it this is seamless cloning
(Pérez et al., "Poisson image editing", SIGGRAPH 2003).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from nda.negatives.faults.fault import Uniform, log_uniform


def draw_inner_boxes(uniform: Uniform, x: Tensor, low: float, high: float) -> Tensor:
    """Boxes `(B, 4)` int64: top, left, height, width; a pixel of the image is left around each.

    Sides are log-uniform between `low` and `high` times the image's, at least two pixels.
    """
    starts, lengths = [], []
    for size in x.shape[-2:]:
        length = (log_uniform(uniform, low, high) * size).round().clamp(2, longest(size, high))
        starts.append(1 + (uniform(0, 1) * (size - 1 - length)).floor())
        lengths.append(length)
    return torch.stack(starts + lengths, dim=1).long()


def longest(size: int, high: float) -> int:
    """The longest side of a box in pixels."""
    return min(max(2, math.floor(high * size)), size - 2)


def cut_out(x: Tensor, box: Tensor, height: int, width: int) -> Tensor:
    """Each box with a pixel around it, from the corner on: `(B, P, height + 2, width + 2)`.

    `height` and `width` are those of the largest box; beyond a smaller one the rest is of no use.
    """
    H, W = x.shape[-2:]
    row = torch.arange(height + 2, device=x.device) + box[:, :1] - 1
    column = torch.arange(width + 2, device=x.device) + box[:, 1:2] - 1
    row, column = row.clamp(max=H - 1), column.clamp(max=W - 1)
    pixel = (row[:, :, None] * W + column[:, None, :]).view(len(x), 1, -1)
    planes = x.reshape(len(x), -1, H * W)
    found = planes.gather(2, pixel.expand(-1, planes.shape[1], -1))
    return found.view(*planes.shape[:2], height + 2, width + 2)


def put_back(x: Tensor, part: Tensor, box: Tensor) -> Tensor:
    """`part` `(B, P, h, w)` where the boxes are, in the shape of `x`; elsewhere of no use."""
    H, W = x.shape[-2:]
    row = torch.arange(H, device=x.device) - box[:, :1]
    column = torch.arange(W, device=x.device) - box[:, 1:2]
    row, column = row.clamp(0, part.shape[-2] - 1), column.clamp(0, part.shape[-1] - 1)
    pixel = (row[:, :, None] * part.shape[-1] + column[:, None, :]).view(len(x), 1, -1)
    return part.flatten(2).gather(2, pixel.expand(-1, part.shape[1], -1)).view(x.shape)


def boxed(x: Tensor, box: Tensor) -> Tensor:
    """Whether a pixel lies in the box of its image, `(B, H, W)`."""
    H, W = x.shape[-2:]
    row = torch.arange(H, device=x.device)[None, :, None]
    column = torch.arange(W, device=x.device)[None, None, :]
    top, left, height, width = box[:, :, None, None].unbind(1)
    return ((row >= top) & (row < top + height)) & ((column >= left) & (column < left + width))


def membrane(around: Tensor, box: Tensor) -> Tensor:
    """What spans each box from the pixels around it, `(B, P, h, w)`; `around` as by `cut_out`."""
    height, width = around.shape[-2] - 2, around.shape[-1] - 2
    row = torch.arange(height + 2, device=around.device)[None, :, None]
    column = torch.arange(width + 2, device=around.device)[None, None, :]
    high, wide = box[:, 2, None, None], box[:, 3, None, None]
    level = ((row == 0) | (row == high + 1)) & (column >= 1) & (column <= wide)
    upright = ((column == 0) | (column == wide + 1)) & (row >= 1) & (row <= high)
    ring = around * (level | upright)[:, None].to(around.dtype)
    pull = ring[..., :-2, 1:-1] + ring[..., 2:, 1:-1] + ring[..., 1:-1, :-2] + ring[..., 1:-1, 2:]
    down, across = sines(height, box[:, 2], around), sines(width, box[:, 3], around)
    stiff = stiffness(height, box[:, 2], around)[:, :, None]
    stiff = stiff + stiffness(width, box[:, 3], around)[:, None, :]
    with torch.autocast(around.device.type, enabled=False):
        spectrum = down[:, None] @ pull @ across[:, None] / stiff[:, None]
        return down[:, None] @ spectrum @ across[:, None]


def sines(size: int, length: Tensor, like: Tensor) -> Tensor:
    """The orthonormal sine transform (DST-I) of `length[b]` values, 0 beyond: `(B, size, size)`."""
    place = torch.arange(1, size + 1, device=like.device)
    count = (length + 1)[:, None, None]
    turn = place[:, None] * place % (2 * count)  # whole numbers keep it exact
    count = count.to(like.dtype)
    matrix = (turn.to(like.dtype) * (math.pi / count)).sin() * (2 / count).sqrt()
    within = place <= length[:, None]
    return matrix * (within[:, :, None] & within[:, None, :]).to(like.dtype)


def stiffness(size: int, length: Tensor, like: Tensor) -> Tensor:
    """What the second difference multiplies each sine by, `(B, size)`; 1 beyond the last."""
    place = torch.arange(1, size + 1, device=like.device)
    turn = place.to(like.dtype) * (math.pi / 2) / (length + 1)[:, None].to(like.dtype)
    return torch.where(place <= length[:, None], 4 * turn.sin().square(), 1)


def sampled(x: Tensor, box: Tensor, shift: Tensor, zoom: Tensor, height: int, width: int) -> Tensor:
    """As `cut_out`, but each box is taken `shift` pixels away and shrunk by `zoom`, bilinearly.

    Beyond the image its mirror image goes on.
    """
    places = []
    for axis, count in enumerate((height, width)):
        start, length, size = box[:, axis, None], box[:, 2 + axis, None], x.shape[-2 + axis]
        place = torch.arange(-1, count + 1, device=x.device)
        middle = (length - 1) / 2
        place = start + middle + (place - middle) * zoom[:, None] + shift[:, axis, None]
        places.append(2 * place / (size - 1) - 1)
    down = places[0][:, :, None].expand(-1, -1, width + 2)
    across = places[1][:, None, :].expand(-1, height + 2, -1)
    grid = torch.stack([across, down], dim=-1).to(x.dtype)
    planes = x.reshape(len(x), -1, *x.shape[-2:])
    with torch.autocast(x.device.type, enabled=False):
        return functional.grid_sample(
            planes, grid, mode="bilinear", padding_mode="reflection", align_corners=True
        )
