"""How well a score separates images from elsewhere from those of the data (paper, Table 5).

An outlier score is high where an image is anomalous, and out-of-distribution images are the
positive class, here and in every figure made of it. Two of the usual figures change with that
choice, hugely: so both false-positive rates are given, by their names, and the average precision
stands beside the base rate it must be read against.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.outliers.auroc_interval import auroc_interval


@dataclass(frozen=True)
class OutlierMeasures:
    """How outlier scores of two sets of images separate them. All but the counts lie in [0, 1].

    `fpr95_ood_positive`: out-of-distribution images are the positives, as everywhere here. Of the
    in-distribution images, the share flagged by the strictest threshold that flags at least 95 %
    of the out-of-distribution ones.
    `fpr95_id_positive`: the other convention, in which in-distribution images are the positives.
    Of the out-of-distribution images, the share accepted by the strictest threshold that accepts
    at least 95 % of the in-distribution ones.
    """

    auroc: float  # P(outlier scores above inlier) + P(equal) / 2
    auroc_low: float  # 95 % interval
    auroc_high: float
    average_precision: float  # mean precision over the outliers found, not a trapezoid
    fpr95_ood_positive: float
    fpr95_id_positive: float
    base_rate: float  # share of outliers: the average precision of a score that knows nothing
    inliers: int
    outliers: int


def measure_outliers(inliers: Tensor, outliers: Tensor) -> OutlierMeasures:
    """Measure outlier scores of `inliers` (n,) against those of `outliers` (m,).

    The AUROC's interval is that of `auroc_interval`. Thresholds are scores that occur: equal scores
    are flagged together or not at all.

    Raises `ShapeError` for scores that are not two non-empty vectors and `DataError` for scores
    that are not finite.
    """
    _check("in-distribution", inliers)
    _check("out-of-distribution", outliers)
    # Exact for float32, and the same numbers for both sets.
    scores = torch.cat([inliers.detach().cpu().double(), outliers.detach().cpu().double()])
    _, ranks = scores.unique(return_inverse=True)
    inlier_ranks, outlier_ranks = ranks.split([len(inliers), len(outliers)])
    levels = int(ranks.max()) + 1
    inside = inlier_ranks.bincount(minlength=levels)  # images at each score, lowest first
    outside = outlier_ranks.bincount(minlength=levels)
    low, high = auroc_interval(inliers, outliers)
    return OutlierMeasures(
        auroc=float(_auroc(inside.double(), outside.double())),
        auroc_low=low,
        auroc_high=high,
        average_precision=_average_precision(inside.flip(0), outside.flip(0)),
        fpr95_ood_positive=_other_share_at_95(outside.flip(0), inside.flip(0)),
        fpr95_id_positive=_other_share_at_95(inside, outside),
        base_rate=len(outliers) / len(scores),
        inliers=len(inliers),
        outliers=len(outliers),
    )


def _check(what: str, scores: Tensor) -> None:
    if scores.dim() != 1 or len(scores) == 0:
        raise ShapeError(
            f"Scores of {what} images must be of shape (n,) with at least one of them; got "
            f"{tuple(scores.shape)}. Give one score an image."
        )
    broken = int((~scores.isfinite()).sum())
    if broken:
        raise DataError(
            f"{broken} of {len(scores)} scores of {what} images are not finite (NaN or infinite), "
            "so nothing can be measured with them. The network has diverged or an image is "
            "broken; evaluate an earlier checkpoint."
        )


def _auroc(inside: Tensor, outside: Tensor) -> Tensor:
    """AUROC (...) of counts (..., levels) at each score, lowest first; equal scores count half."""
    below = inside.cumsum(-1) - inside / 2
    pairs = inside.sum(-1) * outside.sum(-1)
    return (below * outside).sum(-1) / pairs


def _average_precision(inside: Tensor, outside: Tensor) -> float:
    """Sum over thresholds of precision x gain in recall; counts with the highest score first."""
    found, flagged = outside.cumsum(0), (inside + outside).cumsum(0)
    return float((found.double() / flagged * outside).sum() / found[-1])


def _other_share_at_95(wanted: Tensor, others: Tensor) -> float:
    """Share of `others` passed on the way to 95 % of `wanted`, counting from the first level."""
    # In whole numbers: .95 x 20 must be 19.
    enough = 20 * wanted.cumsum(0) >= 19 * wanted.sum()
    place = int(enough.to(torch.uint8).argmax())
    return int(others[: place + 1].sum()) / int(others.sum())
