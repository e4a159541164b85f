"""How far a measured average precision may lie from the true one, at the same share of outliers.

The variance is that of the delta method: what one image more at each score would change, of the
outliers and of the inliers, on the scale of the log odds with Student's t of the smaller set, as
`auroc_interval` has it. How often it holds the truth, beside a bootstrap, which does less often, is
measured by `benchmarks/interval_coverage.py`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nda.evaluation.intervals import students_t, wilson_interval


def average_precision_interval(inliers: Tensor, outliers: Tensor) -> tuple[float, float]:
    """The 95 % interval of the average precision of `inliers` (n,) against `outliers` (m,).

    Sets that do not overlap have no variance to go by; there it is Wilson's for all of as many
    images as the smaller set has. A set of one image says nothing: (0, 1).
    """
    fewest = min(len(inliers), len(outliers))
    if fewest < 2:
        return 0.0, 1.0
    value, variance = average_precision_and_variance(inliers, outliers)
    if value >= 1:
        return wilson_interval(fewest, fewest)
    centre = math.log(value / (1 - value))
    reach = students_t(fewest - 1) * math.sqrt(variance) / (value * (1 - value))
    return _from_log_odds(centre - reach), _from_log_odds(centre + reach)


def average_precision_and_variance(inliers: Tensor, outliers: Tensor) -> tuple[float, float]:
    """Average precision, equal scores flagged together, and the variance of it; sets of two up."""
    scores = torch.cat([inliers.detach().cpu().double(), outliers.detach().cpu().double()])
    levels, places = (-scores).unique(return_inverse=True)  # highest score first
    own = places.split([len(inliers), len(outliers)])
    inside, outside = (each.bincount(minlength=len(levels)).double() for each in own)
    false, found = inside.cumsum(0), outside.cumsum(0)
    flagged = false + found
    precision = found / flagged
    # An image lowers or raises the precision at its own score and at all below.
    of_inlier = -_below(outside * found / flagged**2) * len(inliers) / len(outliers)
    of_outlier = precision + _below(outside * false / flagged**2)
    variance = of_inlier[own[0]].var() / len(inliers) + of_outlier[own[1]].var() / len(outliers)
    return float((precision * outside).sum() / len(outliers)), float(variance)


def _below(values: Tensor) -> Tensor:
    """Sums over a level and all lower ones."""
    return values.flip(0).cumsum(0).flip(0)


def _from_log_odds(odds: float) -> float:
    return 0.5 + math.tanh(odds / 2) / 2  # overflows nowhere
