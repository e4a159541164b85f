"""Orders of the pieces of a jigsaw, never the original one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LARGEST_RANKED = 20  # 20! is the last factorial an int64 holds
_MOST_BANDS_RANKED = 5  # (5!)^6 fits an int64, (6!)^7 does not


def draw_orders(
    count: int, n: int, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Orders of n things `(count, n)`, each uniform among all but the original one."""
    if n <= _LARGEST_RANKED:  # rank 0 is the original order
        ranks = torch.randint(1, math.factorial(n), (count,), generator=generator, device=device)
        return unrank_orders(ranks, n)
    order = torch.rand(count, n, generator=generator, device=device).argsort(dim=1)
    # One chance in n!, less than 1e-25 here: a swap of the first two mends it without a branch.
    original = (order == torch.arange(n, device=device)).all(dim=1, keepdim=True)
    return torch.where(original, order.roll(1, dims=1), order)


def unrank_orders(ranks: Tensor, n: int) -> Tensor:
    """The orders of n things with these ranks in lexicographic order (Lehmer code): (B, n)."""
    columns: list[Tensor] = []
    # From the last thing to the first: the i-th takes place d among those after it, which move up.
    for i in reversed(range(n)):
        digit = ranks // math.factorial(n - 1 - i) % (n - i)
        columns = [digit, *(later + (later >= digit) for later in columns)]
    return torch.stack(columns, dim=1)


def draw_band_orders(
    count: int, grid: int, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Orders `(count, grid²)` that move whole bands, and tiles within their band: uniform.

    All of the (grid!)^(grid + 1) are drawn but the original one.
    """
    few, things = math.factorial(grid), grid + 1
    if grid <= _MOST_BANDS_RANKED:  # rank 0 is the original order
        ranks = torch.randint(1, few**things, (count,), generator=generator, device=device)
        digits = torch.stack([ranks // few**i % few for i in range(things)], dim=1)
        order = unrank_orders(digits.flatten(), grid).view(count, things, grid)
    else:
        order = torch.rand(count, things, grid, generator=generator, device=device).argsort(dim=2)
        # One chance in 1e20 and less: a turn of the bands mends it without a branch.
        original = (order == torch.arange(grid, device=device)).all(dim=2).all(dim=1)
        order = torch.where(original[:, None, None], order.roll(1, dims=2), order)
    band, tile = order[:, 0], order[:, 1:]
    return (band[:, :, None] * grid + tile).flatten(1)
