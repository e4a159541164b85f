"""Images by a detector, as many as there are: stream, score, write."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nda.api.media import expecting_images
from nda.api.score.batches import lost_heats, save_heats, score_batch
from nda.api.score.drift import Drift
from nda.api.score.judge import batches_of
from nda.api.score.limits import Limit, limit_of, notes_of
from nda.api.score.place import ready_places
from nda.api.score.sources import images_of, names_of
from nda.api.score.spread import spread_over
from nda.api.score.table import names_after, table
from nda.data.reading.normal_folders import normal_folders
from nda.errors import DataError
from nda.evaluation.outliers.detector import Detector
from nda.evaluation.outliers.discoveries import exact
from nda.recipes.anomaly.load import open_detector
from nda.report.pages.score import ScoredImages, judged_by, write_score_page
from nda.report.scored import HEADER, PLACED, Scored
from nda.runtime.digest import weights_digest
from nda.runtime.progress import progress

if TYPE_CHECKING:
    from nda.api.settings import ScoreOptions


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
    detector = open_detector(options.run)
    limit = limit_of(
        detector,
        false_alarm_rate=options.false_alarm_rate,
        threshold=options.threshold,
        false_discovery_rate=options.false_discovery_rate,
    )
    drift = None if options.drift is None else Drift(detector, options.drift)
    place = ready_places(options)
    tiling = detector.settings.tiling
    lost: list[str] = []
    rarity = array("d")  # of all images, where verdicts depend on it

    seen = ScoredImages(keep_pictures=options.html is not None)

    def judged(row: Scored) -> Scored:
        return limit.judged(row)  # as it is when all images are known

    def take(scored: Scored) -> None:
        seen.add(scored)
        if limit.discoveries is not None and scored.p_value is not None:
            rarity.append(exact(scored.p_value, len(detector.calibration)))
        if drift is not None:
            drift.see(scored)
        if each is not None:
            each(scored)

    with ExitStack() as opened:
        opened.enter_context(expecting_images(options.images, options.run))
        depth = options.bit_depth or detector.settings.bit_depth
        stream = opened.enter_context(images_of(options.images, depth, at_hand))
        seen.normal = normal_folders(options.normal, names_of(stream, at_hand))
        spread = opened.enter_context(spread_over(options))
        detector.to(spread.here)
        size = options.batch_size if tiling is None else 1  # rows that come together
        settle = None if limit.discoveries is None else judged
        about = about_scoring(options, detector, limit, spread.kind)
        kept, write = opened.enter_context(
            table(place, about, size, settle, HEADER if tiling is None else PLACED)
        )
        advance = opened.enter_context(progress("scoring", stream.count, len(kept)))
        for scored in kept:
            take(scored)
        left = replace(stream, names=names_after(kept, iter(stream.names), place))
        found = opened.enter_context(closing(spread.rows(detector, left, limit, size)))
        for rows in found:
            if options.heatmaps:  # before the rows, which say that all is done
                lost += save_heats(rows, Path(options.heatmaps))
            write(rows)
            for scored in rows:
                take(scored)
            advance(len(rows))
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


def about_scoring(
    options: ScoreOptions, detector: Detector, limit: Limit, kind: str
) -> dict[str, object]:
    """What rows depend on; that who makes them is not among it, so that others may go on."""
    settings = detector.settings
    return {
        "weights": weights_digest(detector),
        "false-alarm rate": limit.heat,
        "threshold": limit.threshold,
        "false-discovery rate": limit.discoveries,
        "batch size": options.batch_size if settings.tiling is None else 1,
        "bit depth": options.bit_depth or settings.bit_depth,
        "images": str(Path(options.images).expanduser().absolute()),
        "device": kind.partition(":")[0],
        # Rows that are kept have had theirs drawn, or not.
        "heat maps": None if options.heatmaps is None else "drawn",
    }


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
