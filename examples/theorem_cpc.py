"""Theorem 2 of Sinha et al. (2021, section 4), computed exactly on four points.

The best representations of NDA-CPC keep data and negatives apart. Two kinds of representation: a
code drawn from a table p(z | x), with a free critic, as in the theorem; and a unit vector, with the
critic exp(cosine / T) of MoCo. Each point x has one negative, whose representation starts *equal*
to that of x, like that of a network which does not notice what was done to x.
`theorems.py` runs this file; docs/theorems.md says what is checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

# Whom a point is contrasted with, besides the data: nobody, its own negative, or any negative.
Against = Literal["none", "own", "any"]
AGAINST: tuple[Against, ...] = ("none", "own", "any")

DATA = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)  # p: shares of the four points
CODES = 8  # as many as data and negatives together
SEARCHES = 16  # random starts; the objective has local maxima
TEMPERATURE = 0.2


def maximise(objective: Callable[[], Tensor], parameters: list[Tensor], steps: int) -> Tensor:
    """Adam on the sum of the searches' objectives (searches,); returns the last of them."""
    optimizer = torch.optim.Adam(parameters, lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (-objective().sum()).backward()
        optimizer.step()
    return objective().detach()


# Codes.


def code_objective(codes: Tensor, negatives: Tensor | None, critic: Tensor) -> Tensor:
    """NDA-CPC with one key from the queue (n = 2) and m = 1 negative, as an exact expectation.

    E log[(n + m) h(x, z) / (h(x, z) + h(x, z') + h(x, z̄))] with x from p, z one of the codes of x,
    z' one of another draw's, z̄ one of the negative's; h = exp(critic). `codes`, `negatives` and
    `critic` are (..., points, codes). Without `negatives` it is plain CPC: m = 0 and no z̄.
    """
    queue = torch.einsum("i,...ia->...a", DATA, codes)
    pair = torch.logaddexp(critic[..., :, None], critic[..., None, :])  # (..., points, z, z')
    if negatives is None:
        gain = math.log(2) + critic[..., :, None] - pair
        return torch.einsum("i,...ia,...b,...iab->...", DATA, codes, queue, gain)
    total = torch.logaddexp(pair[..., None], critic[..., None, None, :])  # (..., points, z, z', z̄)
    gain = math.log(3) + critic[..., :, None, None] - total
    return torch.einsum("i,...ia,...b,...ic,...iabc->...", DATA, codes, queue, negatives, gain)


def highest_objective(against: Against) -> float:
    """The supremum of `code_objective`.

    Where the queue draws x itself, z and z' are alike in law, and the mean of log h / (h + h') is
    at most log 1/2; otherwise the logarithm of the quotient is at most 0. Both are reached only if
    h(x, z̄) = 0 for every z̄ the negatives send while h(x, z) > 0 for every code of x: disjoint.
    """
    keys = 2 if against == "none" else 3
    return float((DATA * (math.log(keys) - DATA * math.log(2))).sum())


def overlap(codes: Tensor, negatives: Tensor) -> Tensor:
    """Shared mass of every point's codes with every negative's, (..., points, points), 0 to 1."""
    return torch.minimum(codes[..., :, None, :], negatives[..., None, :, :]).sum(-1)


def information(codes: Tensor, negatives: Tensor) -> Tensor:
    """Bits that a code tells about "data or negative", both equally likely: 1 when disjoint."""
    sides = torch.stack([torch.einsum("i,...ia->...a", DATA, c) for c in (codes, negatives)])
    middle = sides.mean(0)
    return (torch.xlogy(sides, sides) - torch.xlogy(sides, middle)).sum(-1).mean(0) / math.log(2)


def best_codes(against: Against, steps: int, seed: int, n_codes: int = CODES) -> dict[str, Any]:
    """Maximise over encoder and critic; what holds of every search that came to the supremum.

    When none did (too few codes), what holds of the best search.
    """
    draws = torch.Generator().manual_seed(seed)
    shape = (SEARCHES, len(DATA), n_codes)
    table, critic = (
        0.1 * torch.randn(shape, generator=draws, dtype=torch.float64) for _ in range(2)
    )
    change = torch.zeros(shape, dtype=torch.float64)  # of the negatives from their originals
    parameters = [each.requires_grad_() for each in (table, change, critic)]

    def encode() -> tuple[Tensor, Tensor]:
        return table.softmax(-1), (table + change).softmax(-1)

    def objective() -> Tensor:
        codes, negatives = encode()
        if against == "any":  # z̄ comes from a negative of an independent draw, not of x
            negatives = torch.einsum("i,...ia->...a", DATA, negatives)[:, None].expand_as(codes)
        return code_objective(codes, None if against == "none" else negatives, critic)

    values = maximise(objective, parameters, steps)
    codes, negatives = (each.detach() for each in encode())
    supremum = highest_objective(against)
    reached = values > min(supremum - 1e-3, float(values.max()) - 1e-9)
    shared, best = overlap(codes, negatives)[reached], values.argmax()
    return {
        "against": against,
        "codes": n_codes,
        "objective": float(values.max()),
        "supremum": supremum,
        "searches": SEARCHES,
        "reached": int((values > supremum - 1e-3).sum()),
        "overlap_own": _range(shared.diagonal(dim1=-2, dim2=-1).amax(-1)),
        "overlap_any": _range(shared.amax((-2, -1))),
        "overlap_best": float(overlap(codes, negatives)[best].max()),
        "bits": _range(information(codes, negatives)[reached]),
        "change": float(change.detach().abs().max()),
        "data_codes": codes[best].tolist(),
        "negative_codes": negatives[best].tolist(),
    }


def _range(values: Tensor) -> list[float]:
    return [float(values.min()), float(values.max())]


# Unit vectors.


def vector_objective(vectors: Tensor, negatives: Tensor | None, *, own: bool) -> Tensor:
    """The objective in MoCo's form, mean over the points; `vectors`, `negatives` (..., points, d).

    The queue holds all the other points, so n is their number with x. `own`: m = 1, the negative of
    x; otherwise m = n, everybody's. Vectors have length 1.
    """
    logits = vectors @ vectors.mT / TEMPERATURE
    if negatives is not None:
        against = vectors @ negatives.mT / TEMPERATURE
        against = against.diagonal(dim1=-2, dim2=-1)[..., None] if own else against
        logits = torch.cat([logits, against], -1)
    positive = logits.diagonal(dim1=-2, dim2=-1)
    return (math.log(logits.shape[-1]) + positive - logits.logsumexp(-1)).mean(-1)


def best_vectors(against: Against, steps: int, seed: int, dimension: int = 2) -> dict[str, Any]:
    """Maximise over unit vectors; cosines of data and negatives in the best search."""
    draws = torch.Generator().manual_seed(seed)
    shape = (SEARCHES, len(DATA), dimension)
    table = torch.randn(shape, generator=draws, dtype=torch.float64).requires_grad_()
    change = torch.zeros(shape, dtype=torch.float64).requires_grad_()

    def encode() -> tuple[Tensor, Tensor]:
        unit = torch.nn.functional.normalize
        return unit(table, dim=-1), unit(table + change, dim=-1)

    def objective() -> Tensor:
        vectors, negatives = encode()
        kept = None if against == "none" else negatives
        return vector_objective(vectors, kept, own=against == "own")

    values = maximise(objective, [table, change], 2 * steps)  # it is flat at the top
    best = values.argmax()
    vectors, negatives = (each.detach()[best] for each in encode())
    cosines = vectors @ negatives.mT
    return {
        "against": against,
        "dimension": dimension,
        "objective": float(values[best]),
        "cosine_own": float(cosines.diagonal().mean()),
        "cosine_any": float(cosines.max()),
        "change": float(change.detach()[best].abs().max()),
        "vectors": vectors.tolist(),
        "negatives": negatives.tolist(),
    }
