"""What scores of labelled images say of the scores themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from nda.evaluation.outliers.auroc import OutlierMeasures, measure_outliers
from nda.evaluation.outliers.average_precision_interval import average_precision_interval
from nda.evaluation.outliers.tradeoff import Tradeoff, tradeoff
from nda.report.verdicts import NOTHING_LEARNED, holds_guessing
from nda.report.words import number


@dataclass(frozen=True)
class Flagged:
    """What a threshold flags of labelled images: so many of all of either kind."""

    found: int
    anomalous: int
    false: int
    normal: int

    @property
    def words(self) -> str:
        return (
            f"{self.found:,} of {self.anomalous:,} anomalous, {self.false:,} of {self.normal:,} "
            "normal"
        )

    @property
    def marks(self) -> list[float]:
        """Its place on the curves: share of false alarms, recall, and precision.

        Where nothing is flagged the precision is that of the curve's beginning, 1.
        """
        flagged = self.found + self.false
        shares = (
            self.false / self.normal,
            self.found / self.anomalous,
            self.found / flagged if flagged else 1.0,
        )
        return [round(share, 4) for share in shares]


@dataclass(frozen=True)
class Telling:
    """How scores tell anomalous images from normal ones, and how the verdicts did."""

    inliers: Tensor
    outliers: Tensor
    measures: OutlierMeasures
    average_precision_interval: tuple[float, float]
    tradeoff: Tradeoff
    flagged: Flagged
    how: str  # a sentence on the labels

    def place(self, least: float) -> Flagged:
        """What is flagged where the score is `least` or more."""
        found, false = (int((some >= least).sum()) for some in (self.outliers, self.inliers))
        return Flagged(found, len(self.outliers), false, len(self.inliers))

    @property
    def auroc(self) -> str:
        measures = self.measures
        return f"AUROC {_within(measures.auroc, measures.auroc_low, measures.auroc_high)}"

    @property
    def average_precision(self) -> str:
        within = _within(self.measures.average_precision, *self.average_precision_interval)
        return f"average precision {within}"

    @property
    def verdict(self) -> str:
        """Sentences on what the scores tell, and what was flagged of either kind."""
        measures, chance = self.measures, number(self.measures.base_rate)
        said = f"{self.auroc}, {self.average_precision}; guessing would be 0.5 and {chance}."
        nothing = holds_guessing(measures.auroc_low, measures.auroc_high)
        return f"{NOTHING_LEARNED + ' ' if nothing else ''}{said} Flagged: {self.flagged.words}."

    @property
    def series(self) -> dict[str, Tensor]:
        """Scores by what the folders say, for a histogram."""
        return {"labelled normal": self.inliers, "labelled anomalous": self.outliers}


def telling(scores: Tensor, labels: Tensor, flagged: int, how: str) -> Telling | None:
    """Of scores (N,) with labels (N,): 1 anomalous, 0 normal, others unknown.

    The `flagged` highest scores of all are those that were flagged. None where either kind is
    missing.
    """
    inliers, outliers = scores[labels == 0], scores[labels == 1]
    if not len(inliers) or not len(outliers):
        return None
    least = float(scores.sort().values[-flagged]) if flagged else math.inf
    found, false = (int((some >= least).sum()) for some in (outliers, inliers))
    return Telling(
        inliers,
        outliers,
        measure_outliers(inliers, outliers),
        average_precision_interval(inliers, outliers),
        tradeoff(inliers, outliers),
        Flagged(found, len(outliers), false, len(inliers)),
        how,
    )


def _within(value: float, low: float, high: float) -> str:
    """A share with its interval, in as many digits as make sense of one."""
    return f"{value:.3f} (95 %: {low:.3f} to {high:.3f})"
