"""How far a measured AUROC may lie from the true one.

DeLong's variance (DeLong et al., Biometrics 1988) on the scale of the log odds, where the estimate
is nearly normal also close to 1 and the interval cannot leave [0, 1] (Pepe, "The Statistical
Evaluation of Medical Tests", 2003), with Student's t of the smaller set. Of a percentile bootstrap,
DeLong's plain interval and this one, this holds the true value most nearly as often as it says:
`results/outliers/coverage.json`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nda.evaluation.intervals import students_t, wilson_interval


def auroc_interval(inliers: Tensor, outliers: Tensor) -> tuple[float, float]:
    """The 95 % interval of the AUROC of scores of `inliers` (n,) against `outliers` (m,).

    Sets that do not overlap have no variance to go by; there it is Wilson's for all of as many
    images as the smaller set has. A set of one image says nothing: (0, 1). Scores that are all
    equal rank nothing, and that is certain: (0.5, 0.5).
    """
    fewest = min(len(inliers), len(outliers))
    if fewest < 2:
        return 0.0, 1.0
    value, variance = auroc_and_variance(inliers, outliers)
    if value in (0.0, 1.0):
        return wilson_interval(round(value) * fewest, fewest)
    centre = math.log(value / (1 - value))
    reach = students_t(fewest - 1) * math.sqrt(variance) / (value * (1 - value))
    return _from_log_odds(centre - reach), _from_log_odds(centre + reach)


def auroc_and_variance(inliers: Tensor, outliers: Tensor) -> tuple[float, float]:
    """AUROC, equal scores counting half, and DeLong's variance of it; sets of two or more."""
    below, beneath = _shares_below(inliers, outliers), _shares_below(outliers, inliers)
    variance = below.var() / len(outliers) + beneath.var() / len(inliers)
    return float(below.mean()), float(variance)


def _shares_below(some: Tensor, others: Tensor) -> Tensor:
    """Share of `some` (n,) that lie below each of `others` (m,), equal ones counting half: (m,)."""
    ordered = some.detach().cpu().double().sort().values
    wanted = others.detach().cpu().double()
    under = torch.searchsorted(ordered, wanted)
    up_to = torch.searchsorted(ordered, wanted, right=True)
    return (under + up_to).double() / (2 * len(some))


def _from_log_odds(odds: float) -> float:
    return 0.5 + math.tanh(odds / 2) / 2  # overflows nowhere
