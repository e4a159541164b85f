"""Objectives that keep negatives out of the generator's game, on the twelve points of theorem_gan.

Each has a closed form for its best discriminator, which a table of logits trained with the
library's loss must reach, and with it for what the generator is judged by. docs/theorems.md says
what is proved and what was only seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from theorem_gan import DATA, shares
from torch import Tensor

import nda


def trained_table(loss: Callable[[Tensor], Tensor], shape: tuple[int, ...], steps: int) -> Tensor:
    """A table of logits that minimises the loss of it, from zero, in float64."""
    table = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([table], max_iter=steps, line_search_fn="strong_wolfe",
                                  tolerance_grad=1e-9, tolerance_change=1e-12)  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(table)
        value.backward()
        return value

    optimizer.step(closure)
    return table.detach()


def trained_three_classes(fake: Tensor, negative: Tensor, weight: float, steps: int) -> Tensor:
    """The best logits (points, 3) of `nda.three_class_d`; counts of each kind (points,)."""

    def loss(table: Tensor) -> Tensor:
        parts = (table.repeat_interleave(counts, dim=0) for counts in (DATA, fake, negative))
        return nda.three_class_d(*parts, negative_weight=weight)

    return trained_table(loss, (len(DATA), 3), steps)


def trained_relativistic(
    fake: Tensor, negative_of: Tensor | None, weight: float, steps: int
) -> Tensor:
    """The best logits (points,) of `nda.relativistic_d` over all pairs of data and generated.

    `negative_of` (points,) is the point that each point's negative is, if there are negatives.
    """
    x = torch.arange(len(DATA)).repeat_interleave(DATA)
    y = torch.arange(len(DATA)).repeat_interleave(fake)
    x, y = x.repeat_interleave(len(y)), y.repeat(len(x))

    def loss(table: Tensor) -> Tensor:
        negative = None if negative_of is None else table[negative_of[x]]
        return nda.relativistic_d(table[x], table[y], negative, negative_weight=weight)

    return trained_table(loss, (len(DATA),), steps)


def judged_by_structure(q: Tensor, weight: float) -> Tensor:
    """The generator's equilibrium (points,) where a structure head judges it with weight ν.

    The plain logistic game, D and head at their best, r = p for the head's whole images. Then a
    sample costs log(1 + g / p) + ν c, c = log((r + q) / r), which is the same wherever g is:
    g = p (e^(κ - ν c) - 1)+, with κ such that g sums to 1.
    """
    p = shares(DATA)
    cost = torch.where(p > 0, ((p + q) / p.clamp_min(1e-300)).log(), 0.0)
    low, high = 0.0, math.log(2) + weight * float(cost[p > 0].max()) + 1
    for _ in range(100):
        kappa = (low + high) / 2
        g = p * ((kappa - weight * cost).exp() - 1).clamp_min(0)
        low, high = (kappa, high) if g.sum() < 1 else (low, kappa)
    return g


def found_by_descent(q: Tensor, weight: float, steps: int) -> Tensor:
    """The same equilibrium as samples find it: mass leaves points that cost more than others."""
    p = shares(DATA)
    g = torch.where(p > 0, 1.0, 0.0).double()
    g = g / g.sum()
    cost = torch.where(p > 0, ((p + q) / p.clamp_min(1e-300)).log(), 0.0)
    for _ in range(steps):
        price = plain_cost(p, g) + weight * cost
        g = g * torch.exp(-0.5 * price)
        g = g / g.sum()
    return g


def plain_cost(p: Tensor, g: Tensor) -> Tensor:
    """What `nda.logistic_g` charges a sample at the best D: log(1 + g / p)."""
    best = torch.where(p > 0, (p / g.clamp_min(1e-300)).log(), 0.0)
    return torch.where(p > 0, torch.nn.functional.softplus(-best), 0.0)
