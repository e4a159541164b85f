"""Images by a detector, as many as there are: stream, score, write."""

from __future__ import annotations

import errno
import math
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nda.api.media import expecting_images
from nda.api.score.drift import Drift
from nda.api.score.judge import batches_of, judge
from nda.api.score.limits import Limit, limit_of
from nda.api.score.place import ready_places
from nda.api.score.table import names_after, table
from nda.data.images.given import stream_of_pictures
from nda.data.images.stream import Stream, StreamedBatch, listed_paths, open_stream, stream_of_paths
from nda.data.reading.normal_folders import normal_folders
from nda.data.reading.source import EXTENSIONS
from nda.errors import ConfigError, DataError
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import Detector
from nda.evaluation.outliers.discoveries import allowed_rate
from nda.evaluation.outliers.large import AT_ONCE
from nda.recipes.anomaly.load import open_detector
from nda.report.pages.score import ScoredImages, judged_by, write_score_page
from nda.report.pictures.heat import warmth
from nda.report.scored import HEADER, PLACED, Scored, save_heat, shrunk
from nda.runtime.devices import choose_device
from nda.runtime.digest import weights_digest
from nda.runtime.progress import progress
from nda.validators import counted

if TYPE_CHECKING:
    from nda.api.settings import ScoreOptions

# What an operating system says of a name that it cannot give: too long, or a folder's already.
NAMELESS = {
    errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ,
}  # fmt: skip


@dataclass(frozen=True)
class Scoring:
    """What a scoring found, and how: sentences for the reader, and remarks on what went amiss."""

    seen: ScoredImages
    rate: float  # of false alarms
    how: str
    of: str = "image"
    notes: Sequence[str] = ()
    remarks: Sequence[str] = ()
    limit: Limit | None = None  # what images were flagged by


def score_images(
    options: ScoreOptions, *, at_hand: Any = None, each: Callable[[Scored], None] | None = None
) -> Scoring:
    """Score every image that the options name, or `at_hand`; write what they ask for.

    `each` is called with every result, in the order of the images.
    """
    detector = open_detector(options.run).to(choose_device(options.device))
    settings = detector.settings
    limit = limit_of(
        detector,
        false_alarm_rate=options.false_alarm_rate,
        threshold=options.threshold,
        false_discovery_rate=options.false_discovery_rate,
    )
    drift = None if options.drift is None else Drift(detector, options.drift)
    place = ready_places(options)
    kept_size = options.batch_size if settings.tiling is None else 1  # rows that come together
    about = {
        "weights": weights_digest(detector),
        "false-alarm rate": limit.heat,
        "threshold": limit.threshold,
        "false-discovery rate": limit.discoveries,
        "batch size": kept_size,
        "bit depth": options.bit_depth or settings.bit_depth,
        "images": str(Path(options.images).expanduser().absolute()),
        "device": detector.calibration.device.type,
    }
    header = HEADER if settings.tiling is None else PLACED
    lost: list[str] = []
    rarity = array("d")  # of all images, where verdicts depend on it

    seen = ScoredImages(keep_pictures=options.html is not None)

    def judged(row: Scored) -> Scored:
        return limit.judged(row)  # as it is when all images are known

    def take(scored: Scored) -> None:
        seen.add(scored)
        if limit.discoveries is not None and scored.p_value is not None:
            rarity.append(scored.p_value)
        if drift is not None:
            drift.see(scored)
        if each is not None:
            each(scored)

    with ExitStack() as opened:
        opened.enter_context(expecting_images(options.images, options.run))
        stream = opened.enter_context(
            images_of(options.images, options.bit_depth or settings.bit_depth, at_hand)
        )
        seen.normal = normal_folders(options.normal, names_of(stream, at_hand))
        settle = None if limit.discoveries is None else judged
        kept, write = opened.enter_context(table(place, about, kept_size, settle, header))
        advance = opened.enter_context(progress("scoring", stream.count, len(kept)))
        for scored in kept:
            take(scored)
        left = replace(stream, names=names_after(kept, iter(stream.names), place))
        for batch in batches_of(detector, left, options.batch_size):
            found = list(score_batch(detector, batch, limit, options.batch_size))
            if options.heatmaps:  # before the rows, which say that all is done
                lost += save_heats(found, Path(options.heatmaps))
            write(found)
            for scored in found:
                take(scored)
            advance(len(batch.names))
        if not seen.total:
            raise DataError(f"{options.images} names no images, so there is nothing to score.")
        again = replace(stream, names=seen.without_pictures())
        for batch in batches_of(detector, again, options.batch_size):
            for scored in score_batch(detector, batch, limit, options.batch_size):
                seen.add_picture(scored)
        if limit.discoveries is not None:
            limit = limit.settled(rarity)
            seen.settle(limit.judged, sum(map(limit.reached, rarity)))
    if options.html:
        shown = judged_by(detector, limit.heat, limit.sentence)
        write_score_page(Path(options.html), seen, shown, source=options.images, table=options.out)
    return Scoring(
        seen,
        limit.heat,
        how_scored(detector),
        limit=limit,
        notes=[
            *notes_of(
                limit, detector, seen.total - seen.counts["broken"], seen.counts["anomalous"]
            ),
            *([] if drift is None else drift.notes()),
            *notes_on_labels(seen),
        ],
        remarks=[*lost_heats(lost), *stream.values.notes()],
    )


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


def names_of(stream: Stream, at_hand: Any) -> list[str] | None:
    """The names of all images, where they are files and known before any is read."""
    if at_hand is not None:
        return []
    return None if stream.count is None else list(stream.names)


def notes_on_labels(seen: ScoredImages) -> list[str]:
    """How well the scores tell what the folders call normal from the rest."""
    told = seen.telling()
    if told is not None:
        return [f"{told.how} {told.verdict}"]
    if seen.normal is None:
        return []
    return [
        f"{' or '.join(seen.normal.names)}: there are no images inside and outside of such folders "
        "that could be read, so how well the scores tell is not known"
    ]


def how_scored(detector: Detector) -> str:
    """A sentence on what becomes of an image before it is scored."""
    settings = detector.settings
    if settings.tiling is not None:
        return (
            f"each was scored in RGB in {len(settings.tiling.corners):,} tiles of "
            f"{settings.resolution} x {settings.resolution} of its own pixels, as the normal "
            "images were in training; the highest of them is its score"
        )
    how = "all of it" if settings.fit == "stretch" else "its middle"
    return (
        f"each was scored in RGB at {settings.resolution} x {settings.resolution} pixels ({how}), "
        "whatever its own size, as the normal images were in training"
    )


def lost_heats(lost: Sequence[str]) -> list[str]:
    """A sentence where heat maps could not be written."""
    if not lost:
        return []
    return [f"{counted(len(lost), 'heat map')} could not be written; the first is of {lost[0]}."]


def save_heats(found: Sequence[Scored], folder: Path) -> list[str]:
    """Write the heat maps; gives the names whose picture the disk cannot name."""
    lost = []
    for scored in found:
        if scored.pixels is None:
            continue
        try:
            save_heat(scored, folder)
        except OSError as error:
            if error.errno not in NAMELESS:
                raise
            lost.append(scored.file)
    return lost


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


@contextmanager
def images_of(source: str, bit_depth: int | None = None, at_hand: Any = None) -> Iterator[Stream]:
    """The images of a folder or zip, one image, those that standard input lists, or at hand."""
    if at_hand is not None:
        yield stream_of_pictures(at_hand)
        return
    if source == "-":
        yield stream_of_paths(listed_paths(sys.stdin.buffer), bit_depth)
        return
    if source.startswith("torchvision:"):
        raise ConfigError(
            f"{source} cannot be scored; give a folder, a .zip, or - for paths on standard input."
        )
    if Path(source).suffix.lower() in EXTENSIONS and Path(source).is_file():
        yield stream_of_paths([source], bit_depth)
        return
    with open_stream(Path(source), bit_depth) as stream:
        yield stream
