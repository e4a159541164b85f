"""What every threshold finds, and what it flags in error: the ROC and precision-recall curves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tradeoff:
    """At each score that occurs, from the highest down, what is flagged at it or above.

    `thresholds` (k,) are distinct scores, `false` and `found` (k,) the inliers and the outliers
    that score as high or higher.
    """

    thresholds: Tensor
    false: Tensor
    found: Tensor

    @property
    def false_alarms(self) -> Tensor:
        """Share of the inliers that is flagged (k,)."""
        return self.false.double() / self.false[-1]

    @property
    def recall(self) -> Tensor:
        """Share of the outliers that is flagged (k,)."""
        return self.found.double() / self.found[-1]

    @property
    def precision(self) -> Tensor:
        """Share of outliers among what is flagged (k,)."""
        return self.found.double() / (self.false + self.found)


def tradeoff(inliers: Tensor, outliers: Tensor) -> Tradeoff:
    """Of outlier scores of `inliers` (n,) and `outliers` (m,), both non-empty and finite."""
    scores = torch.cat([inliers.detach().cpu().double(), outliers.detach().cpu().double()])
    levels, places = (-scores).unique(return_inverse=True)
    own = places.split([len(inliers), len(outliers)])
    false, found = (each.bincount(minlength=len(levels)).cumsum(0) for each in own)
    return Tradeoff(-levels, false, found)
