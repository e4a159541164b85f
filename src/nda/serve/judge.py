"""Uploaded files by a detector, one request after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from PIL import Image

from nda.api.score.batches import score_batch
from nda.api.score.judge import batches_of
from nda.api.score.limits import limit_of
from nda.data.images.stream import Stream
from nda.data.reading.open import open_bytes
from nda.data.reading.values import Values
from nda.evaluation.outliers.conformal import conformal_threshold
from nda.evaluation.outliers.detector import Detector
from nda.report.scored import Scored

AT_ONCE = 32  # images


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent; `size` in bytes."""

    name: str
    size: int
    file: BinaryIO


class Judge:
    """Scores uploads at a rate of false alarms; requests that come together wait for each other.

    Raises `ConfigError` for a rate that the calibration cannot promise.
    """

    def __init__(
        self, detector: Detector, rate: float | None = None, bit_depth: int | None = None
    ) -> None:
        self.detector = detector
        self.bit_depth = bit_depth or detector.settings.bit_depth
        self.limit = limit_of(detector, false_alarm_rate=rate)
        self.rate = self.limit.rate
        self.threshold = conformal_threshold(detector.calibration, self.rate)
        self._alone = threading.Lock()  # one network, and warnings of Pillow that are silenced

    def score(self, uploads: Sequence[Upload]) -> tuple[list[Scored], list[str]]:
        """One result a file, in their order; and sentences on how the files were read.

        Files that are no pictures are told of as broken.
        """
        values = Values(self.bit_depth)

        def opened(place: str) -> Image.Image:
            upload = uploads[int(place)]
            return values.read(open_bytes(upload.size, upload.file.read), upload.name)

        stream = Stream([str(place) for place in range(len(uploads))], len(uploads), opened, values)
        with self._alone:
            found = [
                replace(scored, file=uploads[int(scored.file)].name)
                for batch in batches_of(self.detector, stream, AT_ONCE)
                for scored in score_batch(self.detector, batch, self.limit)
            ]
        return found, values.notes()
