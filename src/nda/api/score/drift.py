"""Whether the images of a scoring, in their order, stop being like the normal ones."""

from __future__ import annotations

import torch

from nda.errors import ConfigError
from nda.evaluation.outliers.detector import Detector
from nda.evaluation.outliers.drift import DriftWatch
from nda.report.scored import Scored, as_written
from nda.validators import counted


class Drift:
    """Sees every image of a scoring; says at the end whether there was an alarm, and at which.

    Raises `ConfigError` for a rate that is none, for a detector whose normal images were left out
    in turn, of which it is not known how new ones rank among them, and for one that was told of
    parts: several pictures of one in a row score alike, which looks like a change.

    Scores are compared as the table has them, so that a scoring that goes on says what one that was
    never cut off would.
    """

    def __init__(self, detector: Detector, rate: float) -> None:
        known = [as_written(score) for score in detector.calibration.tolist()]
        self.watch = DriftWatch(torch.tensor(known, dtype=torch.float64), rate)
        self.file = ""  # at which the alarm was raised
        if detector.settings.groups:
            raise ConfigError(
                "--drift needs normal images that were held out, and this detector is calibrated "
                "by leaving its images out in turn; train it with --calibration held_out."
            )
        if detector.settings.parts:
            raise ConfigError(
                "--drift takes images for independent of each other, and this detector was told of "
                "parts with several pictures (--group), which score alike; leave --drift out, or "
                "train and score with one picture of each part."
            )

    def see(self, scored: Scored) -> None:
        """Take the next image; what could not be scored says nothing."""
        if scored.score is not None and not self.file:
            self.watch.see(as_written(scored.score))
            if self.watch.alarm is not None:
                self.file = scored.file

    def notes(self) -> list[str]:
        """A sentence on what was seen."""
        watch = self.watch
        highest = f"the odds against that reached {watch.highest:.3g} to 1"
        if watch.alarm is None:
            return [
                f"no drift: {counted(watch.count, 'image')} may be as normal as those held out; "
                f"{highest}, and the alarm is at {1 / watch.rate:.3g}"
            ]
        return [
            f"drift: by image {watch.alarm:,} ({self.file}) the images were no longer like the "
            f"normal ones held out; {highest}. While nothing changes that ever happens with a "
            f"chance of at most {watch.rate:g}"
        ]
