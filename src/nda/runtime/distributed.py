"""Tensors of all processes on each of them, with the way back for their gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def all_gather(x: Tensor) -> Tensor:
    """The `x` `(B, ...)` of all W processes one after the other: `(W * B, ...)`, by rank.

    A gradient is the sum over the losses of all processes, as if one of them had computed all.
    (The gradient of Fabric's own `all_gather` is another with some backends.)
    """
    if rank_and_world_size()[1] == 1:
        return x
    result: Tensor = _Gathered.apply(x)
    return result


def rank_and_world_size() -> tuple[int, int]:
    """The rank of this process, and how many there are."""
    if not dist.is_initialized():
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.size = len(x)
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        start = dist.get_rank() * context.size
        return total[start : start + context.size]
