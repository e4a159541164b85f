"""What is flagged: by a rate of false alarms, by a score, or by false discoveries in a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nda.api.refusals import refuse_several
from nda.errors import ConfigError
from nda.evaluation.outliers.conformal import conformal_threshold, p_values
from nda.evaluation.outliers.detector import Detector
from nda.evaluation.outliers.discoveries import allowed_rate, discovery_limit
from nda.report.scored import Scored


@dataclass(frozen=True)
class Limit:
    """What an image is flagged by.

    Where its p-value is at most `rate`; or, with a `threshold`, where its score is that or higher,
    and `rate` is what the threshold promises. With `discoveries` the rate follows from all images.
    Heat is shown at the rate `heat`.
    """

    rate: float
    heat: float
    threshold: float | None = None
    discoveries: float | None = None
    any_dependence: bool = False  # of the p-values

    def flagged(self, scores: Tensor, rarity: Tensor) -> Tensor:
        """Which images (N,) are anomalous, by their p-values; false for NaN."""
        return rarity <= self.rate if self.threshold is None else scores >= _written(self.threshold)

    def judged(self, scored: Scored) -> Scored:
        """An image with its verdict by the rate, its p-value as exact as tables have it."""
        if scored.p_value is None:
            return scored
        return replace(scored, verdict="anomalous" if self.reached(scored.p_value) else "normal")

    def reached(self, p_value: float) -> bool:
        """Whether a p-value, as exact as tables have it, is at most the rate."""
        return float(f"{p_value:.6g}") <= float(f"{self.rate:.6g}")

    def settled(self, rarity: Sequence[float]) -> Limit:
        """What the p-values of all images say of false discoveries."""
        if self.discoveries is None:
            return self
        found = discovery_limit(rarity, self.discoveries, any_dependence=self.any_dependence)
        return replace(self, rate=found)

    @property
    def sentence(self) -> str:
        """How images were flagged, where it is not by a rate of false alarms; for a page."""
        if self.threshold is not None:
            return (
                f"An image is flagged where its score is {self.threshold:g} or more, a threshold "
                f"that was set by hand: of new normal images at most {self.rate:.3g} of all are "
                "flagged on average."
            )
        if self.discoveries is not None:
            return (
                f"Images are flagged so that on average at most {self.discoveries:g} of these are "
                f"normal: those with a p-value of at most {self.rate:.3g}."
            )
        return ""

    @property
    def words(self) -> str:
        """By what images were flagged, to follow their number."""
        if self.threshold is not None:
            return f"at a score of {self.threshold:g} or more (false-alarm rate {self.rate:.3g})"
        if self.discoveries is not None:
            return f"at a false-discovery rate of {self.discoveries:g}"
        return f"at a false-alarm rate of {self.rate:g}"


def _written(threshold: float) -> float:
    """The least score that is written as this one is, with the six digits of the table."""
    return threshold - abs(threshold) * 5e-6


def limit_of(
    detector: Detector,
    *,
    false_alarm_rate: float | None = None,
    threshold: float | None = None,
    false_discovery_rate: float | None = None,
) -> Limit:
    """By what the detector flags; its own rate where none of the three is given.

    Raises `ConfigError` for more than one of them, for a threshold that is not finite, and for
    rates that the calibration cannot promise.
    """
    refuse_several(false_alarm_rate, threshold, false_discovery_rate)
    rate = detector.settings.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
    conformal_threshold(detector.calibration, rate)  # refuses a rate that cannot be promised
    if threshold is not None:
        asked = torch.tensor([_written(threshold)], dtype=torch.float64)
        if not bool(asked.isfinite()):
            raise ConfigError(
                f"threshold is {threshold}; it is a score, such as those of the table."
            )
        return Limit(float(p_values(asked, detector.calibration)), rate, threshold)
    if false_discovery_rate is not None:
        # Of images left out in turn it is not known how their p-values depend on each other.
        found = Limit(rate, rate, None, false_discovery_rate, bool(detector.settings.groups))
        found.settled([])  # refuses what is no rate
        return found
    return Limit(rate, rate)


def notes_of(limit: Limit, detector: Detector, read: int, flagged: int) -> list[str]:
    """Why none of the images that could be `read` is flagged where none could have been."""
    if limit.discoveries is None or flagged or not read:
        return []
    rate = allowed_rate(read, limit.discoveries, any_dependence=limit.any_dependence)
    least = math.ceil(read / (rate * (len(detector.calibration) + 1)))
    return [
        f"no p-value is below 1 / {len(detector.calibration) + 1:,}, so of {read:,} images at "
        f"least {least:,} must be as rare before any is flagged at a false-discovery rate of "
        f"{limit.discoveries:g}; more normal images to calibrate on would lower that"
    ]
