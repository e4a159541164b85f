"""How much of the generated lies among the real, and how much of the real is covered.

A ball around each image of a set reaches to its k-th nearest neighbour within the set; their union
stands for the set's manifold. Precision is the share of generated images within the real manifold,
recall the share of real images within the generated one (Kynkäänniemi et al., 2019). One outlier
has a large ball that flatters both, so density counts in how many real balls a generated image
lies, and coverage which real balls hold a generated image at all (Naeem et al., 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nda.errors import DataError, ShapeError

NEIGHBOURS = 3  # of precision and recall, as published
COVERED = 5  # of density and coverage, as published
_CELLS = 1 << 22  # distances held at once: 32 MB
_ROUNDING = 1e-10  # relative, above what sums of products in double precision are off by


@dataclass(frozen=True)
class Manifolds:
    """Shares between 0 and 1, but density, which is about 1 for sets of one distribution."""

    precision: float
    recall: float
    density: float
    coverage: float


def compare_manifolds(
    real: Tensor, generated: Tensor, *, neighbours: int = NEIGHBOURS, covered: int = COVERED
) -> Manifolds:
    """Compare features `real` (N, D) with `generated` (M, D), in float64 and bounded memory.

    Precision and recall ask `neighbours` nearest neighbours, density and coverage `covered`. What
    lies on the edge of a ball lies within. Raises `ShapeError` for features that are not two
    matrices of one width, and `DataError` where a set has no more images than neighbours.
    """
    if real.dim() != 2 or generated.dim() != 2 or real.shape[1] != generated.shape[1]:
        raise ShapeError(
            "Manifolds are compared of features (N, D) and (M, D); got "
            f"{tuple(real.shape)} and {tuple(generated.shape)}."
        )
    most, fewest = max(neighbours, covered), min(len(real), len(generated))
    if fewest <= most:
        raise DataError(
            f"Precision and recall ask for {most} neighbours of each image, and a set has "
            f"{fewest} images; give at least {most + 1}."
        )
    centre = real.double().mean(dim=0)  # near which less is lost to rounding
    real, generated = real.double() - centre, generated.double() - centre
    narrow, wide = _squared_radii(real, (neighbours, covered))
    (radii_generated,) = _squared_radii(generated, (neighbours,))

    precise, balls = 0, 0
    reached = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for part in generated.split(_rows(real)):
        squares = _squares(part, real)
        precise += int((squares <= narrow).any(dim=1).sum())
        within = squares <= wide
        balls += int(within.sum())
        reached |= within.any(dim=0)
    recalled = sum(
        int((_squares(part, generated) <= radii_generated).any(dim=1).sum())
        for part in real.split(_rows(generated))
    )
    return Manifolds(
        precision=precise / len(generated),
        recall=recalled / len(real),
        density=balls / (covered * len(generated)),
        coverage=float(reached.double().mean()),
    )


def _squared_radii(features: Tensor, neighbours: tuple[int, ...]) -> list[Tensor]:
    """Squared distance (N,) of each to its k-th nearest other one, a hair more, for each k."""
    found = []
    for part in features.split(_rows(features)):
        # The nearest of all is the image itself, or a copy of it.
        nearest = _squares(part, features).topk(max(neighbours) + 1, largest=False).values
        found.append(nearest[:, list(neighbours)])
    return list((torch.cat(found) * (1 + _ROUNDING)).unbind(dim=1))


def _squares(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances (N, M); exactly 0 between copies."""
    norms = a.square().sum(1, keepdim=True) + b.square().sum(1)
    squares = norms - 2 * (a @ b.T)
    return torch.where(squares > _ROUNDING * norms, squares, 0.0)


def _rows(others: Tensor) -> int:
    return max(1, _CELLS // len(others))
