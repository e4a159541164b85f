"""AUROCs of two scores on the same images, and of their difference, with intervals.

A negative is made of an image and judged beside it, by both probes: its scores depend on each
other. So the unit is the image with its negative (Obuchowski, Biometrics 1997, clusters of one
pair; DeLong et al., Biometrics 1988, where nothing depends on anything).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.intervals import students_t

Pair = tuple[Tensor, Tensor]  # scores (n,) of n images and of the negative of each


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedAurocs:
    """AUROCs of two scores and the first less the second."""

    first: Estimate
    second: Estimate
    difference: Estimate


def paired_aurocs(first: Sequence[Pair], second: Sequence[Pair]) -> PairedAurocs:
    """AUROCs of scores that are high for negatives, from one or several repetitions.

    Each of `first` and `second` holds a pair `(images, negatives)` a repetition, all scores `(n,)`
    of the same n images in the same order, so that networks trained anew are judged on the same
    images. Equal scores count half. The interval is Student's. Its variance is that over images,
    of what an image and its negative contribute on average over the repetitions, and with several
    of these also that over the repetitions, with degrees of freedom after Satterthwaite; with one
    repetition it says nothing of how another training would turn out. Where all pairs are in
    order it is a point.

    Raises `ShapeError` for scores that do not match and fewer than two images, `DataError` for
    scores that are not finite.
    """
    shares = [torch.stack([_shares(*pair) for pair in score]) for score in (first, second)]
    if shares[0].shape != shares[1].shape:
        raise ShapeError(
            f"Two scores are compared on the same images; got repetitions and images "
            f"{tuple(shares[0].shape)} and {tuple(shares[1].shape)}."
        )
    return PairedAurocs(
        _estimate(shares[0], 0, 1),
        _estimate(shares[1], 0, 1),
        _estimate(shares[0] - shares[1], -1, 1),
    )


def folded_aurocs(
    first: Sequence[Sequence[Pair]], second: Sequence[Sequence[Pair]]
) -> PairedAurocs:
    """AUROCs of few images, each held out once: `first[r][k]` is of fold k in repetition r.

    Each fold has networks of its own, whose scores are compared within it alone; the AUROC is the
    mean of the folds'. The interval is the widest of three: that over images as in `paired_aurocs`;
    Student's over the folds with the variance of Nadeau and Bengio (Machine Learning, 2003), since
    folds learn from the same images; and what n images without an error leave open,
    1 - 0.025^(1/n).

    Raises as `paired_aurocs`, and `ShapeError` for fewer than two folds.
    """
    kinds = []
    for score in (first, second):
        folds = zip(*score, strict=True)
        kinds.append([torch.stack([_shares(*pair) for pair in fold]).mean(0) for fold in folds])
    if len(kinds[0]) < 2 or [len(fold) for fold in kinds[0]] != [len(fold) for fold in kinds[1]]:
        raise ShapeError(
            f"Two scores are compared on the same folds, two at least; got "
            f"{[len(fold) for fold in kinds[0]]} and {[len(fold) for fold in kinds[1]]} images."
        )
    lead = [one - other for one, other in zip(*kinds, strict=True)]
    return PairedAurocs(
        _folded(kinds[0], 0, 1), _folded(kinds[1], 0, 1), _folded(lead, -1, 1)
    )  # fmt: skip


def _folded(shares: list[Tensor], least: float, most: float) -> Estimate:
    folds, images = len(shares), sum(len(fold) for fold in shares)
    means = torch.stack([fold.mean() for fold in shares])
    value = float(means.mean())
    per_fold = 1 / folds + 1 / (folds - 1)  # of the variance of one fold, with its training
    reaches = (
        students_t(folds - 1) * (per_fold * float(means.var())) ** 0.5,
        students_t(images - 1) * (4 * float(torch.cat(shares).var()) / images) ** 0.5,
        1 - 0.025 ** (1 / images),
    )
    return Estimate(value, max(least, value - max(reaches)), min(most, value + max(reaches)))


def _shares(images: Tensor, negatives: Tensor) -> Tensor:
    """What each image and its negative add to the AUROC `(n,)`: their mean is the AUROC.

    It is the mean of two shares: of the negatives that score above the image, and of the images
    that score below its negative.
    """
    if images.dim() != 1 or images.shape != negatives.shape or len(images) < 2:
        raise ShapeError(
            "An AUROC of pairs needs the scores of at least two images and of as many negatives; "
            f"got {tuple(images.shape)} and {tuple(negatives.shape)}."
        )
    both = torch.cat([images, negatives]).detach().cpu().double()
    if not bool(both.isfinite().all()):
        raise DataError(
            "Scores of a probe are not finite (NaN or infinite), so nothing can be measured with "
            "them. Its training diverged; try another --seed."
        )
    n = len(images)
    _, rank = both.unique(return_inverse=True)
    levels = int(rank.max()) + 1
    at_image, at_negative = (part.bincount(minlength=levels).double() for part in rank.split(n))
    below = at_image.cumsum(0) - at_image / 2
    above = n - at_negative.cumsum(0) + at_negative / 2
    return (above[rank[:n]] + below[rank[n:]]) / (2 * n)


def _estimate(shares: Tensor, least: float, most: float) -> Estimate:
    """Mean and interval of `shares` (repetitions, images), kept between `least` and `most`."""
    repetitions, images = shares.shape
    value = float(shares.mean())
    # An AUROC is a mean over pairs of an image and a negative, and each image is in two of the
    # roles: what one adds varies twice as much as its share does.
    over_images = 4 * float(shares.mean(dim=0).var()) / images
    over_repetitions = float(shares.mean(dim=1).var()) / repetitions if repetitions > 1 else 0.0
    variance = over_images + over_repetitions
    if variance == 0:
        return Estimate(value, value, value)
    freedom = variance**2 / (
        over_images**2 / (images - 1) + over_repetitions**2 / max(repetitions - 1, 1)
    )
    reach = students_t(freedom) * variance**0.5
    return Estimate(value, max(least, value - reach), min(most, value + reach))
