"""A plane through an encoder's features: the two directions in which they differ most.

Principal components are linear: what is near in the plane may be far in the features, but nothing
is torn or gathered, as it is by t-SNE and its like, and the same features give the same map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ShapeError


@dataclass(frozen=True)
class FeatureMap:
    """Places of N images, and what share of all variance each of the two axes has."""

    points: Tensor  # float32 (N, 2)
    shares: tuple[float, float]


def feature_map(features: Tensor) -> FeatureMap:
    """The first two principal components of the directions of `features` `(N, D)`.

    Features are brought to length 1 first, since encoders compare by the cosine. The sign of an
    axis is such that its largest loading is positive. Raises `ShapeError` for fewer than three
    features or two dimensions.
    """
    if features.dim() != 2 or len(features) < 3 or features.shape[1] < 2:
        raise ShapeError(
            "A map is drawn of 3 or more features of 2 or more dimensions, (N, D); got "
            f"{tuple(features.shape)}."
        )
    directions = F.normalize(features.double().cpu(), dim=1)
    centred = directions - directions.mean(dim=0)
    variance, axes = torch.linalg.eigh(centred.T @ centred)  # ascending
    first = axes[:, [-1, -2]]  # (D, 2)
    signs = first.gather(0, first.abs().argmax(dim=0, keepdim=True)).sign()
    total = float(variance.clamp(min=0).sum())
    shares = [float(variance[-each].clamp(min=0)) / total if total > 0 else 0.0 for each in (1, 2)]
    return FeatureMap((centred @ (first * signs)).float(), (shares[0], shares[1]))
