"""Work on those pixels alone that a negative changes, where looking which they are costs nothing.

On a GPU the host would have to wait to learn how many there are, and a compiled graph has no place
for a size that the draw decides: there a negative computes all pixels and keeps what it wants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nda.negatives.pixels.layout import is_channels_last

Whole = NDArray[np.int64]


def may_look(x: Tensor) -> bool:
    """Whether the host may act on values of a tensor that lies beside `x`."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


@dataclass(frozen=True)
class Pixels:
    """Pixels of a batch, each by its sample, row and column: whole numbers `(N,)`.

    In numpy, whose whole numbers are divided in a quarter of torch's time.
    """

    sample: Whole
    row: Whole
    column: Whole

    @classmethod
    def where(cls, mask: Tensor, sample: Tensor) -> Pixels:
        """Those where `mask` `(N, H, W)` is true; its n-th mask is that of `sample[n]`."""
        H, W = mask.shape[-2:]
        place = np.flatnonzero(mask.numpy())  # a fifth of the time of nonzero
        line = place // W
        which = line // H
        return cls(sample.numpy()[which], line - which * H, place - line * W)

    @classmethod
    def inside(cls, box: Tensor, sample: Tensor) -> Pixels:
        """Those inside boxes `(N, 4)` (top, left, height, width); the n-th is of `sample[n]`."""
        top, left, height, width = box.numpy().T
        area = height * width
        which = np.repeat(np.arange(len(area)), area)
        within = np.arange(len(which)) - (area.cumsum() - area)[which]
        wide = width[which]
        down = within // wide
        return cls(sample.numpy()[which], top[which] + down, left[which] + within - down * wide)

    def __add__(self, other: Pixels) -> Pixels:
        return Pixels(
            np.concatenate([self.sample, other.sample]),
            np.concatenate([self.row, other.row]),
            np.concatenate([self.column, other.column]),
        )

    def moved(self, sample: Whole, down: Whole, across: Whole, H: int, W: int) -> Pixels:
        """Each in another sample, and up and to the left, around the edges of the image."""
        row, column = self.row - down, self.column - across
        return Pixels(sample, row + (row < 0) * H, column + (column < 0) * W)

    def mask(self, B: int, H: int, W: int) -> Tensor:
        """`(B, H, W)` bool, true at these."""
        mask = torch.zeros(B, H, W, dtype=torch.bool)
        mask.numpy()[self.sample, self.row, self.column] = True
        return mask

    def places(self, x: Tensor) -> Tensor:
        """Where in the memory of `x` they lie, `(P, N)`, for each plane, channels-last or not."""
        C, H, W = x.shape[-3:]
        planes = x.shape[1:-2].numel()  # channels, or frames × channels
        plane = np.arange(planes)[:, None]
        if is_channels_last(x):
            first = (self.sample * (planes // C * H * W) + self.row * W + self.column) * C
            return torch.from_numpy(plane // C * (C * H * W) + plane % C + first)
        first = (self.sample * (planes * H) + self.row) * W + self.column
        return torch.from_numpy(plane * (H * W) + first)


def taken(x: Tensor, place: Tensor) -> Tensor:
    """What lies at these places of the memory of `x`, in the shape of `place`."""
    memory = x.movedim(-3, -1) if is_channels_last(x) else x
    return memory.reshape(-1).index_select(0, place.view(-1)).view(place.shape)


def put(x: Tensor, place: Tensor, values: Tensor) -> Tensor:
    """A copy of `x` with `values` at these places of its memory."""
    if is_channels_last(x):
        return put(x.movedim(-3, -1), place, values).movedim(-1, -3)
    copy = x.clone(memory_format=torch.contiguous_format)
    copy.view(-1).scatter_(0, place.view(-1), values.reshape(-1))
    return copy


def ranked(values: Tensor, rank: Tensor, most: int) -> Tensor:
    """Of each row of `values` `(B, N)` the value of a rank `(B,)` from 1 (highest) to `most`.

    The result is `(B, 1)`.
    """
    rank = rank.clamp(max=most)[:, None]
    if not may_look(values):
        return values.topk(most, dim=1).values.gather(1, rank - 1)
    top = np.partition(values.numpy(), values.shape[1] - most, axis=1)[:, -most:]
    return torch.from_numpy(np.sort(top, axis=1)).gather(1, most - rank)  # far quicker than topk
