"""A batch of pictures made into rows of the table, and its heat maps written."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import starmap
from pathlib import Path

import torch
from torch import Tensor

from nda.api.score.judge import judge
from nda.api.score.limits import Limit
from nda.data.images.stream import StreamedBatch
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import Detector
from nda.evaluation.outliers.large import AT_ONCE
from nda.report.pictures.heat import warmth
from nda.report.scored import Scored, save_heat, shrunk
from nda.validators import counted

# What an operating system says of a name that it cannot give: too long, or a folder's already.
NAMELESS = {
    errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ,
}  # fmt: skip


@torch.inference_mode()
def score_batch(
    detector: Detector, batch: StreamedBatch, limit: Limit, tiles_at_once: int = AT_ONCE
) -> Iterator[Scored]:
    """One result a file, in the order of the files."""
    results: Iterator[Scored] = iter(())
    if len(batch.images):
        found = judge(detector, batch.images, tiles_at_once)
        rarity = p_values(found.scores, detector.calibration)
        flagged = limit.flagged(found.scores.cpu(), rarity).tolist()
        heat = warmth(detector.heat(found.maps), limit.heat).cpu()
        none = [None] * len(batch.images)
        results = starmap(
            _result,
            zip(
                found.scores.tolist(), rarity.tolist(), flagged, batch.images, heat,
                found.places or none, found.closeups or none, strict=True,
            ),
        )  # fmt: skip
    for name, reason in zip(batch.names, batch.reasons, strict=True):
        if reason:
            yield Scored(name, "broken", reason)
            continue
        yield replace(next(results), file=name)


def _result(
    score: float,
    p_value: float,
    flagged: bool,
    pixels: Tensor,
    heat: Tensor,
    place: tuple[int, int] | None,
    closeup: Tensor | None,
) -> Scored:
    """Of a file whose name is still to be told."""
    shown = pixels if place is None else shrunk(pixels)
    verdict = "anomalous" if flagged else "normal"
    return Scored("", verdict, "", score, p_value, shown, heat, place, closeup)


def lost_heats(lost: Sequence[str]) -> list[str]:
    """A sentence where heat maps could not be written."""
    if not lost:
        return []
    return [f"{counted(len(lost), 'heat map')} could not be written; the first is of {lost[0]}."]


def save_heats(found: Sequence[Scored], folder: Path) -> list[str]:
    """Write the heat maps; gives the names whose picture the disk cannot name."""
    lost = []
    for scored in found:
        if scored.pixels is None and scored.painted is None:
            continue
        try:
            save_heat(scored, folder)
        except OSError as error:
            if error.errno not in NAMELESS:
                raise
            lost.append(scored.file)
    return lost
