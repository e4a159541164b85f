"""Which method suits normal images, told from themselves: do their places repeat?"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nda.networks.pretrained.gaussian import GaussianMap, Moments

ALIGNED = 0.25  # of the features' variance: from here on a place has its own normal
MOST_LOOKED_AT = 256  # images, evenly taken


def fitting_method(place_share: float) -> str:
    """The method for images of which this share of the features' variance is a matter of place.

    Where places repeat, a Gaussian of each place; else both methods together, as nothing in normal
    images says whether anomalies will be small faults or pictures of another kind.
    """
    return "gaussian" if place_share >= ALIGNED else "combine"


@torch.no_grad()
def place_share(trunk: nn.Module, side: int, batches: Iterable[Tensor]) -> float:
    """How much of the variance of a backbone's features is between places, not between images.

    `batches` are images `(B, 3, side, side)` in [-1, 1], at least two in all. The share is the mean
    over channels of 1 - (variance at a place, over images) / (variance over places and images): 0
    where any place may show anything, 1 where all images are one.
    """
    gaussian = GaussianMap(trunk, side)
    moments = Moments()
    for batch in batches:
        moments.add(gaussian.at_places(trunk(batch)))
    covariance, count = moments.covariance, moments.count
    if count < 2:
        raise ValueError("one image has no variance")
    biased = covariance.diagonal(dim1=-2, dim2=-1)  # (places, channels)
    between = moments.mean[:, 0].var(dim=0, correction=0)
    everywhere = biased.mean(dim=0) + between
    at_a_place = biased.mean(dim=0) * count / (count - 1)
    varies = everywhere > 1e-12
    return float(1 - (at_a_place[varies] / everywhere[varies]).mean()) if varies.any() else 1.0
