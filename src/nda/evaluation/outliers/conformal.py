"""Conformal p-values: outlier scores against those of normal images, and thresholds that hold.

A new normal image is exchangeable with the normal images of a calibration set, so its score is as
likely to take any rank among theirs as any other. No assumption is made on the distribution of
scores (Vovk et al., 2005; Bates et al., 2023, "Testing for outliers with conformal p-values").

The promise is an average over calibration sets: with one set of n images, of which the threshold
is the k-th largest, the rate of false alarms is itself random, with distribution Beta(k, n + 1 - k)
for scores without ties: with 99 images and a rate of 1 % it is 1 % on average, and above 3 % for
one set in twenty. More images make it narrower.

Where images are too few to hold some out, each group of them (an image with its copies, or the
pictures of a part) is left out in turn: R_i is the score of one of its images by the fit to all
other groups, and a new image's score is the lowest of those by all these fits. The p-value, with
the R_i in the place of calibration scores, keeps the promise P(p <= t) <= t (jackknife-minmax:
Barber, Candes, Ramdas and Tibshirani, "Predictive inference with the jackknife+", Annals of
Statistics, 2021). The proof in short: among the n groups and the new image's own call i strange
where at most t (n + 1) - 1 of the others j have R_j, with i left out too, at or above m_i, the
lowest score of i. All others lie below, and their own lowest scores m_j with them: so i is among
the t (n + 1) highest m, and no more can be strange. The new image is as likely to be strange as
any. It asks that the fit does not mind the order of the images, and nothing of it may be chosen
by looking at all of them.
"""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor

from nda.errors import ConfigError, DataError, ShapeError


def p_values(scores: Tensor, calibration: Tensor) -> Tensor:
    """(1 + the number of calibration scores >= the score) / (n + 1); a high score is anomalous.

    `scores` of any shape and `calibration` (n,), both from the same network; the result is float64
    of the shape of `scores`, on the CPU, in [1 / (n + 1), 1]. For a new normal image
    P(p <= t) <= t for every t, ties in the scores included.

    Raises `ShapeError` for a calibration that is not (n,) with n >= 1, and `DataError` for scores
    that are not finite.
    """
    known = _checked(calibration).sort().values
    _refuse_not_finite(scores, "The scores")
    below = torch.searchsorted(known, scores.detach().to("cpu", torch.float64).contiguous())
    return (1 + len(known) - below).double() / (len(known) + 1)


def conformal_threshold(
    calibration: Tensor, false_alarm_rate: float, *, of: str = "images"
) -> float:
    """The threshold t for which `score > t` says the same as `p_values(score) <= rate`.

    The inequality is strict: a score equal to t is not flagged. Of new normal images at most the
    share `false_alarm_rate` is flagged on average. t is the k-th largest of the n scores of
    `calibration` (n,), where k = floor(rate (n + 1)). `of` is what messages call what was scored.

    Raises `ConfigError` for a rate outside (0, 1) and for fewer calibration images than the rate
    needs (`images_needed`), and what `p_values` raises.
    """
    needed = images_needed(false_alarm_rate)
    known = _checked(calibration)
    rank = rank_of_rate(false_alarm_rate, len(known))
    if not rank:
        raise ConfigError(
            f"A false-alarm rate of {false_alarm_rate:g} needs at least {needed:,} normal {of} "
            f"to calibrate on, and there are {len(known):,}. Give more of them, or accept "
            f"a rate of {smallest_rate(len(known)):g} or more."
        )
    return float(known.sort(descending=True).values[rank - 1])


def rank_of_rate(false_alarm_rate: float, images: int) -> int:
    """The k of which the k-th largest of so many calibration scores is the threshold; 0 for none.

    Rates of one k flag the same images: with 24 of them 0.04 and 0.05 do.
    """
    return math.floor(_exact(false_alarm_rate) * (images + 1))


def images_needed(false_alarm_rate: float) -> int:
    """The fewest calibration images with which a rate can be promised: 99 for 0.01, 19 for 0.05.

    With fewer, no score at all could have a p-value as small as the rate. Raises `ConfigError` for
    a rate outside (0, 1).
    """
    if not 0 < false_alarm_rate < 1:
        raise ConfigError(
            f"The false-alarm rate is {false_alarm_rate:g}; it is a share of normal images and "
            "must lie between 0 and 1, such as 0.01."
        )
    return math.ceil(1 / _exact(false_alarm_rate)) - 1


def _exact(rate: float) -> Fraction:
    """The decimal number that was written: 0.29 * 100 must not fall short of 29 by rounding."""
    return Fraction(repr(float(rate)))


def smallest_rate(images: int) -> float:
    """The smallest rate that so many calibration images can promise, in three digits.

    1 / (n + 1), rounded up so that it is indeed enough.
    """
    share = Fraction(1, images + 1)
    scale = 10 ** (2 - math.floor(math.log10(float(share))))
    return math.ceil(share * scale) / scale


def _checked(calibration: Tensor) -> Tensor:
    """Calibration scores as float64 on the CPU, in which float32 scores compare exactly."""
    if calibration.dim() != 1 or len(calibration) == 0:
        raise ShapeError(
            "Calibration scores must be of shape (n,) with at least one of them; got "
            f"{tuple(calibration.shape)}. Give one score for each normal image held out."
        )
    _refuse_not_finite(calibration, "The calibration scores")
    return calibration.detach().to("cpu", torch.float64)


def _refuse_not_finite(scores: Tensor, what: str) -> None:
    broken = int((~scores.isfinite()).sum())
    if broken:
        raise DataError(
            f"{what} hold {broken} of {scores.numel()} values that are not finite (NaN or "
            "infinite), which no threshold can judge. The network has diverged or an image is "
            "broken; evaluate an earlier checkpoint."
        )
