"""The Fréchet distance between two sets of features, each taken for a Gaussian.

    |m₁ - m₂|² + tr S₁ + tr S₂ - 2 tr (S₁ S₂)^{1/2}    (Dowson and Landau, 1982)

In the features of Inception v3 this is FID (Heusel et al., 2017).

The usual ways to the last term, a matrix square root or the eigenvalues of the unsymmetric S₁ S₂,
turn complex or NaN when a covariance is singular, as it always is with fewer rows than columns.
Here S = RᵀR, where R comes from the QR decomposition of the centred features. The eigenvalues of
S₁^{1/2} S₂ S₁^{1/2} are then the squared singular values of R₁R₂ᵀ, so the trace of the root is
their plain sum: real, never negative, and accurate because no covariance was ever formed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nda.errors import DataError, ShapeError


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Fréchet distance between `features_a` (N, D) and `features_b` (M, D), in float64.

    Covariances are the unbiased ones (divided by N - 1). The result is finite and at least 0, also
    for N < D. Raises `ShapeError` for features that are not two matrices of one width, and
    `DataError` for fewer than two rows and for values that are not finite.
    """
    if features_a.dim() != 2 or features_b.dim() != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ShapeError(
            "The Fréchet distance compares features (N, D) with features (M, D); "
            f"got {tuple(features_a.shape)} and {tuple(features_b.shape)}."
        )
    mean_a, root_a = _mean_and_root(features_a)
    mean_b, root_b = _mean_and_root(features_b)
    of_means = (mean_a - mean_b).square().sum()
    of_spreads = root_a.square().sum() + root_b.square().sum()  # the traces of S₁ and S₂
    shared = torch.linalg.svdvals(root_a @ root_b.T).sum()
    # Cauchy-Schwarz makes the exact value 0 or more; only rounding can fall below.
    return max(0.0, float(of_means + of_spreads - 2 * shared))


def _mean_and_root(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) and a matrix R (min(N, D), D) whose RᵀR is the covariance."""
    rows = len(features)
    if rows < 2:
        raise DataError(
            f"The Fréchet distance needs at least 2 samples on either side; got {rows}. "
            "Give more images."
        )
    features = features.detach().to("cpu", torch.float64)
    broken = int((~features.isfinite().all(dim=1)).sum())
    if broken:
        raise DataError(
            f"{broken} of {rows} feature rows are not finite. The images or the feature network "
            "are broken; look at the samples first."
        )
    mean = features.mean(dim=0)
    root = torch.linalg.qr(features - mean, mode="r").R
    return mean, root / (rows - 1) ** 0.5
