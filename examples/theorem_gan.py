"""Theorem 1 of Sinha et al. (2021, section 3), computed exactly on twelve points.

A GAN whose discriminator sees the mixture λ g + (1 - λ) q in place of the generator's g still has
the data p as its best g, if the negatives q share no point with p; its best discriminator differs.
`theorems.py` runs this file; docs/theorems.md says what is checked and where it fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor, xlogy

import nda

Divergence = Callable[[Tensor, Tensor], Tensor]

# Twelve points: the data on six, nothing on two, negatives on four. Counts of 40, so that a batch
# of 40 samples *is* the distribution and the library's means over a batch are exact expectations.
DATA = torch.tensor([2, 4, 8, 12, 9, 5, 0, 0, 0, 0, 0, 0])
OUTSIDE = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 10, 14, 9, 7])  # negatives that never are data
INSIDE = torch.tensor([5, 9, 12, 8, 4, 2, 0, 0, 0, 0, 0, 0])  # negatives that could be data
WEIGHTS = (0.1, 0.25, 0.5, 0.75)  # λ
OVERLAPS = tuple(step / 10 for step in range(11))  # share of the negatives that could be data
STARTS = 3
TINY = 1e-300  # 0 / 0 is 0 where neither data nor mixture ever is

# D_f(p || m) = sum m f(p / m), in the order of f-GAN; p and m are (..., points).
DIVERGENCES: dict[str, Divergence] = {
    "GAN (2 x Jensen-Shannon)": lambda p, m: (
        xlogy(p, 2 * p) + xlogy(m, 2 * m) - xlogy(p + m, p + m)
    ).sum(-1),
    "least-squares GAN": lambda p, m: ((p - m).square() / (8 * (p + m).clamp_min(TINY))).sum(-1),
    "KL(p || m)": lambda p, m: (xlogy(p, p) - xlogy(p, m)).sum(-1),
    "Pearson chi-squared": lambda p, m: ((p - m).square() / m.clamp_min(TINY)).sum(-1),
    "squared Hellinger": lambda p, m: (p.sqrt() - m.sqrt()).square().sum(-1),
}


def shares(counts: Tensor) -> Tensor:
    """Counts (points,) as a distribution in float64."""
    return counts.double() / counts.sum()


def distance(g: Tensor, h: Tensor) -> Tensor:
    """Total variation between distributions over the last dimension, 0 to 1."""
    return (g - h).abs().sum(-1) / 2


def negatives_with(overlap: float, inside: Tensor = INSIDE) -> Tensor:
    """Negatives of which a share `overlap` lies on the data's points."""
    return (1 - overlap) * shares(OUTSIDE) + overlap * shares(inside)


# The generator.


def best_generator(
    divergence: Divergence, q: Tensor, weight: Tensor, steps: int, seed: int
) -> Tensor:
    """Minimise D(p || λ g + (1 - λ) q) over g = softmax(logits) from random starts.

    `q` is (..., points), `weight` is λ (...). Mirror descent: the logits go down the gradient by g,
    not by themselves, so that a g near 0 still moves. Every problem has its own step, longer after
    a success and shorter after a failure. Returns (STARTS, ..., points).
    """
    p, w = shares(DATA), weight[..., None]
    draws = torch.Generator().manual_seed(seed)
    shape = torch.broadcast_shapes(w.shape, q.shape)
    first = torch.randn(STARTS, q.shape[-1], generator=draws, dtype=torch.float64)
    logits = first.view(STARTS, *[1] * (len(shape) - 1), -1).expand(STARTS, *shape).log_softmax(-1)
    rate = torch.ones(logits.shape[:-1], dtype=torch.float64)
    for _ in range(steps):
        g = logits.exp().requires_grad_()
        value = divergence(p, w * g + (1 - w) * q)
        (slope,) = torch.autograd.grad(value.sum(), g)
        proposal = (logits - rate[..., None] * slope).log_softmax(-1)
        proposal = proposal.clamp(min=-600)  # a g of exactly 0 would have no gradient
        better = divergence(p, w * proposal.exp() + (1 - w) * q) <= value.detach() + 1e-15
        logits = torch.where(better[..., None], proposal, logits)
        rate = torch.where(better, 1.2 * rate, 0.5 * rate).clamp(1e-3, 1e3)
    return logits.exp()


def predicted_generator(q: Tensor, weight: float) -> Tensor:
    """The optimum in closed form, the same for every strictly convex f; q (points,).

    The mixture m can be anything above the floor (1 - λ) q. Where it is free, f(u) - u f'(u) is
    the same everywhere (u = p / m), so u is: m = max((1 - λ) q, c p), with c such that m sums to 1.
    """
    p, floor = shares(DATA), (1 - weight) * q
    low, high = torch.zeros(()).double(), torch.ones(()).double()
    for _ in range(60):
        c = (low + high) / 2
        low, high = (low, c) if torch.maximum(floor, c * p).sum() > 1 else (c, high)
    return (torch.maximum(floor, low * p) - floor) / weight


def sweep(steps: int, seed: int) -> dict[str, Any]:
    """The distance of the best generator to the data for every divergence, λ and overlap."""
    p = shares(DATA)
    w = torch.tensor(WEIGHTS).double()[:, None]
    q = torch.stack([negatives_with(overlap) for overlap in OVERLAPS])
    closed = torch.stack(
        [torch.stack([predicted_generator(r, each) for r in q]) for each in WEIGHTS]
    )
    rows = []
    for name, divergence in DIVERGENCES.items():
        found = best_generator(divergence, q, w, steps, seed)  # (starts, λ, overlap, points)
        like_data = best_generator(divergence, negatives_with(0.5, DATA), w[:, 0], steps, seed)
        rows.append(
            {
                "divergence": name,
                "example_disjoint": found[0, WEIGHTS.index(0.25), 0].tolist(),
                "disjoint": distance(found, p)[:, :, 0].amax(0).tolist(),
                "divergence_at_optimum": divergence(
                    p, w[..., None] * closed + (1 - w[..., None]) * q
                )[:, 0].tolist(),
                "distance": distance(found, p).amax(0).tolist(),
                "error_of_closed_form": float(distance(found, closed).max()),
                "overlap_shaped_like_data": float(distance(like_data, p).max()),
            }
        )
    return {"rows": rows, "closed_form": distance(closed, p).tolist()}


# The discriminator, with the library's losses.


def trained_discriminator(
    fake: Tensor, negative: Tensor | None, weight: float, steps: int, seed: int
) -> Tensor:
    """Logits (points,) that minimise `nda.logistic_d`; counts of fakes and negatives (points,)."""
    start = torch.randn(len(DATA), generator=torch.Generator().manual_seed(seed))
    logits = start.double().requires_grad_()
    optimizer = torch.optim.LBFGS([logits], max_iter=steps, line_search_fn="strong_wolfe",
                                  tolerance_grad=1e-9, tolerance_change=1e-12)  # fmt: skip

    batches = [DATA, fake] if negative is None else [DATA, fake, negative]

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nda.logistic_d(*map(logits.repeat_interleave, batches), fake_weight=weight)
        loss.backward()
        return loss

    optimizer.step(closure)
    return logits.detach()


def predicted_discriminator(fake: Tensor, negative: Tensor | None, weight: float) -> Tensor:
    """The best logits, log p / m (points,): -inf where only m is, NaN where neither ever is."""
    m = shares(fake)
    if negative is not None:
        m = weight * m + (1 - weight) * shares(negative)
    return (shares(DATA) / m).log()


def compare_discriminators(steps: int, seed: int) -> list[dict[str, Any]]:
    """Trained against predicted discriminators, for a perfect and for a leaking generator.

    The error is the largest difference of D(x) = sigmoid(logit) where a sample ever lies.
    """
    rows: list[dict[str, Any]] = []
    for generator, fake in {"g = p": DATA, "g = (p + q) / 2": DATA + OUTSIDE}.items():
        for negative, weight in [(None, 1.0), *((OUTSIDE, each) for each in WEIGHTS)]:
            predicted = predicted_discriminator(fake, negative, weight).sigmoid()
            trained = trained_discriminator(fake, negative, weight, steps, seed)
            error = (trained.sigmoid() - predicted)[~predicted.isnan()].abs().max()
            row = {"generator": generator, "weight": weight, "error": float(error)}
            undefined_as_none = [None if math.isnan(x) else x for x in predicted.tolist()]
            rows.append(row | {"predicted": undefined_as_none, "logits": trained.tolist()})
    return rows


def loss_of(family: str, fake: Tensor, weight: float) -> float:
    """`nda.<family>_d` at its best discriminator, for negatives that are never data."""
    p, m = shares(DATA), weight * shares(fake) + (1 - weight) * shares(OUTSIDE)
    best = {"hinge": (p - m).sign(), "logistic": (p / m).log(), "least_squares": p / (p + m)}
    batches = (best[family].repeat_interleave(counts) for counts in (DATA, fake, OUTSIDE))
    return float(getattr(nda, f"{family}_d")(*batches, fake_weight=weight))


def losses_of_generators(weight: float) -> list[dict[str, Any]]:
    """What the generator can win: the library's losses for generators near to and far from p."""
    peak = (shares(DATA) == shares(DATA).max()).long()
    generators = {"the data": DATA, "uniform on the data's points": (DATA > 0).long()}
    generators |= {"one point only": peak, "half on the negatives": DATA + OUTSIDE}
    return [
        {
            "generator": name,
            "distance": float(distance(shares(fake), shares(DATA))),
            "loss": {f: loss_of(f, fake, weight) for f in ("hinge", "logistic", "least_squares")},
        }
        for name, fake in generators.items()
    ]


def wasserstein(weight: float) -> dict[str, Any]:
    """The least W1(p, λ g + (1 - λ) q) on a line, by a linear program, and its value at g = p."""
    n, p, q = len(DATA), shares(DATA).numpy(), shares(OUTSIDE).numpy()
    cost = np.abs(np.subtract.outer(np.arange(n), np.arange(n))).ravel()
    leaves, arrives = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    equal = np.block([[leaves, np.zeros((n, n))], [arrives, -weight * np.eye(n)]])
    best = linprog(np.r_[cost, np.zeros(n)], A_eq=equal, b_eq=np.r_[p, (1 - weight) * q])
    at_data = np.abs(np.cumsum((1 - weight) * (p - q))).sum()
    g = np.maximum(best.x[n * n :], 0)
    return {
        "weight": weight,
        "best": float(best.fun),
        "at_data": float(at_data),
        "g": g.tolist(),
        "distance": float(np.abs(g - p).sum() / 2),
    }
