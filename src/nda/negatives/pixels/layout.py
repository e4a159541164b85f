"""Whole samples and single pixels, moved in the memory layout that a batch came in.

Networks run quicker on channels-last memory, and a batch that lost it would have to be copied back.
`torch.channels_last` is meant, for clips that of their frames.
"""

from __future__ import annotations

import torch
from torch import Tensor


def is_channels_last(x: Tensor) -> bool:
    """Whether the channels of a pixel lie side by side, and those of neighbours after them."""
    return not x.is_contiguous() and x.movedim(-3, -1).is_contiguous()


def in_layout_of(x: Tensor, result: Tensor) -> Tensor:
    """`result`, shaped as `x`, in channels-last memory where `x` is."""
    if not is_channels_last(x):
        return result
    return result.movedim(-3, -1).contiguous().movedim(-1, -3)


def samples(x: Tensor, index: Tensor) -> Tensor:
    """Samples `index` `(N,)` of `x`, as a new tensor."""
    if not is_channels_last(x):
        return x.index_select(0, index)
    return x.movedim(-3, -1).index_select(0, index).movedim(-1, -3)


def joined(parts: list[Tensor]) -> Tensor:
    """Batches in one layout, one behind the other."""
    if not all(map(is_channels_last, parts)):
        return torch.cat(parts)
    return torch.cat([part.movedim(-3, -1) for part in parts]).movedim(-1, -3)


def pixels_at(x: Tensor, place: Tensor) -> Tensor:
    """Of each sample the pixels at `place` `(B, H, W)`, counted row by row, as a new tensor."""
    B, (C, H, W) = x.shape[0], x.shape[-3:]
    if is_channels_last(x):
        memory = x.movedim(-3, -1)
        index = place.view(B, 1, H * W, 1).expand(-1, memory.shape[1:-3].numel(), -1, C)
        found = memory.reshape(B, -1, H * W, C).gather(2, index)
        return found.view(memory.shape).movedim(-1, -3)
    planes = x.reshape(B, -1, H * W)
    return planes.gather(2, place.view(B, 1, H * W).expand_as(planes)).view(x.shape)
