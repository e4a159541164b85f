"""The kernel distance between two sets of features: unbiased at any number of images.

The squared maximum mean discrepancy with the kernel k(x, y) = (x·y / D + 1)³ (Bińkowski et al.,
2018, section 4). In the features of Inception v3 this is KID. The Fréchet distance grows as images
become fewer; this one does not, and may fall below 0 where the two sets are alike.

The images are parted into blocks that have none in common, so their estimates are independent, and
the spread of these gives an honest standard error. (Subsets drawn again and again from the same
images overlap, and their spread says too little.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.intervals import students_t

BLOCKS = 10  # at least
LARGEST = 1000  # images in a block at most, as published


@dataclass(frozen=True)
class KernelDistance:
    """The mean over `blocks` of `size` images a side, its standard error and 95 % interval."""

    value: float
    error: float
    interval: tuple[float, float]
    blocks: int
    size: int


def kernel_distance(features_a: Tensor, features_b: Tensor, *, seed: int = 0) -> KernelDistance:
    """Unbiased kernel distance between `features_a` (N, D) and `features_b` (M, D), in float64.

    The seed parts the images into at least 10 blocks, of at most 1000 a side; of the larger set the
    rest is left out. The interval is Student's. Raises `ShapeError` for features that are not two
    matrices of one width, and `DataError` for fewer than 20 rows or values that are not finite.
    """
    if features_a.dim() != 2 or features_b.dim() != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ShapeError(
            "The kernel distance compares features (N, D) with features (M, D); "
            f"got {tuple(features_a.shape)} and {tuple(features_b.shape)}."
        )
    fewest = min(len(features_a), len(features_b))
    if fewest < 2 * BLOCKS:
        raise DataError(
            f"The kernel distance needs at least {2 * BLOCKS} samples on either side; got {fewest}."
            " Give more images."
        )
    if not (features_a.isfinite().all() and features_b.isfinite().all()):
        raise DataError(
            "Features are not finite. The images or the feature network are broken; look at the "
            "samples first."
        )
    blocks = max(BLOCKS, math.ceil(fewest / LARGEST))
    size = fewest // blocks
    rng = torch.Generator().manual_seed(seed)
    parts = [
        features[torch.randperm(len(features), generator=rng)[: blocks * size]].split(size)
        for features in (features_a.cpu(), features_b.cpu())
    ]
    pairs = zip(*parts, strict=True)
    estimates = torch.stack([_unbiased(a.double(), b.double()) for a, b in pairs])
    value, error = float(estimates.mean()), float(estimates.std()) / math.sqrt(blocks)
    reach = students_t(blocks - 1) * error
    return KernelDistance(value, error, (value - reach, value + reach), blocks, size)


def _unbiased(a: Tensor, b: Tensor) -> Tensor:
    """The estimate from as many rows of either; none is compared with itself."""
    m = len(a)

    def within(x: Tensor) -> Tensor:
        kernel = _kernel(x, x)
        return (kernel.sum() - kernel.trace()) / (m * (m - 1))

    return within(a) + within(b) - 2 * _kernel(a, b).mean()


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3
