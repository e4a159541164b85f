"""Videos by a run of dpc: how surprising is each of them to it?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nda.api.media import refuse_no_videos, refuse_pictures, refuse_unlike_frames, within
from nda.api.score.images import Scoring, notes_on_labels
from nda.api.score.place import ready_places
from nda.api.score.table import names_after, table
from nda.data.clips.clip_set import Clips
from nda.data.clips.decode import UnreadableError
from nda.data.clips.stream import VideoStream, open_video_stream, windows_of
from nda.data.reading.decode import Pixels
from nda.data.reading.normal_folders import normal_folders
from nda.errors import CheckpointError, ConfigError
from nda.evaluation.outliers.conformal import conformal_threshold, images_needed, p_values
from nda.evaluation.outliers.surprise import Surprise, video_surprise
from nda.extras import needed
from nda.report.pages.score import Judged, ScoredImages, write_score_page
from nda.report.scored import Scored
from nda.runtime.devices import choose_device
from nda.runtime.digest import weights_digest
from nda.runtime.progress import progress, tracked
from nda.training.run_folder import RunFolder

with needed("Scoring videos needs Lightning Fabric", "train"):
    from nda.recipes.dpc.load import (
        Predictor,
        heldout_videos,
        keep_surprise,
        kept_surprise,
        open_predictor,
    )
    from nda.recipes.video.load import shape_of

if TYPE_CHECKING:
    from nda.api.settings import ScoreOptions

RATE = 0.05  # of false alarms, unless another one is asked for: 0.01 takes 99 held-out videos
READ_AT_ONCE = 256  # frames of a held-out video
CACHED = 4  # windows at once on a processor, which more do not make faster


def score_videos(options: ScoreOptions, *, each: Callable[[Scored], None] | None = None) -> Scoring:
    """Score every video and write the results; `each` is called with every one, in order."""
    refuse(options)
    rate = RATE if options.false_alarm_rate is None else options.false_alarm_rate
    images_needed(rate)  # refuses what is no rate before anything is read
    with ExitStack() as opened:
        stream = opened.enter_context(
            open_video_stream(Path(options.images), bit_depth_of(options))
        )
        refuse_pictures(stream.videos, options.images, options.run)
        refuse_unlike_frames(stream, options.images, options.run)
        judge = Judge.of(options, rate)
        names = [video.name for video in stream.videos]
        normal = normal_folders(options.normal, names)
        seen = ScoredImages(keep_pictures=options.html is not None, normal=normal)

        def take(scored: Scored) -> None:
            seen.add(scored)
            if each is not None:
                each(scored)

        place = ready_places(options)
        if options.html and place.goes_on():
            raise ConfigError(
                f"--html {options.html}: {place.part} keeps scores of videos but no pictures; "
                "leave --html out, or give --overwrite to begin anew."
            )
        about = {
            "weights": weights_digest(judge.predictor.network),
            "false-alarm rate": rate,
            "batch size": options.batch_size,
            "bit depth": bit_depth_of(options),
            "videos": str(Path(options.images).expanduser().absolute()),
            "device": judge.device.type,
        }
        kept, write = opened.enter_context(table(place, about, 1))
        advance = opened.enter_context(progress("scoring", len(stream.videos), len(kept)))
        for scored in kept:
            take(scored)
        names_after(kept, iter(names), place)
        for scored in judge.scores_of(stream, len(kept)):
            write([scored])
            take(scored)
            advance()
    if options.html:
        judged = judge.judged(notes_on(options, judge))
        write_score_page(Path(options.html), seen, judged, source=options.images, table=options.out)
    how = (
        f"a score is the surprise of {judge.predictor.name} at step {judge.predictor.step:,}, "
        f"averaged over the windows of a video ({judge.window}), and was judged by the "
        f"{len(judge.calibration)} videos that the run held out"
    )
    notes = [*notes_on(options, judge), *notes_on_labels(seen)]
    return Scoring(seen, rate, how, "video", notes)


def bit_depth_of(options: ScoreOptions) -> int | None:
    """That of frames of more than 8 bits: the one asked for, else the run's."""
    return options.bit_depth or RunFolder(Path(options.run)).config().get("bit_depth")


def refuse(options: ScoreOptions) -> None:
    """What makes no sense for videos."""
    refuse_no_videos(options.images, options.run)
    if options.images == "-":
        raise ConfigError(
            f"{options.run} is a run of dpc, which takes no list on standard input; give a folder "
            "or a .zip of videos, or a video file."
        )
    for name in ("threshold", "false_discovery_rate", "drift"):
        if getattr(options, name) is not None:
            raise ConfigError(
                f"--{name} {getattr(options, name):g} is for images, and {options.run} is a run of "
                "dpc, which scores videos; give a --false_alarm_rate."
            )
    for name in ("workers", "ray"):
        if getattr(options, name) is not None:
            raise ConfigError(
                f"--{name} {getattr(options, name)} is for images, and {options.run} is a run of "
                "dpc, which scores videos in one process; leave it out."
            )
    if options.heatmaps is not None:
        raise ConfigError(
            f"--heatmaps {options.heatmaps}: {options.run} is a run of dpc, which scores whole "
            "videos and knows no heat of their places; leave it out."
        )


class Judge:
    """A run of dpc, with the surprise of the videos that it held out, float64 `(n,)`."""

    def __init__(self, predictor: Predictor, device: torch.device, rate: float, batch: int) -> None:
        self.predictor, self.device, self.rate = predictor, device, rate
        self.network = predictor.network.to(device)
        self.shape = shape_of(predictor.config)
        self.batch = min(batch, CACHED) if device.type == "cpu" else batch
        self.calibration = torch.empty(0, dtype=torch.float64)
        self.short = 0  # videos scored with fewer frames than a window

    @classmethod
    def of(cls, options: ScoreOptions, rate: float) -> Judge:
        """Open the run and score what it held out; refuses a rate that cannot be promised."""
        judge = cls(
            open_predictor(options.run), choose_device(options.device), rate, options.batch_size
        )
        kept = kept_surprise(judge.predictor)
        if kept is None:
            heldout = heldout_videos(judge.predictor)
            conformal_threshold(torch.zeros(len(heldout)), rate, of="videos")
            kept = judge.calibrated(heldout)
        conformal_threshold(kept, rate, of="videos")
        judge.calibration = kept
        return judge

    def calibrated(self, heldout: Clips) -> Tensor:
        """The surprise of each held-out video, which is kept for the next time."""
        rows = tracked(range(len(heldout)), "scoring held-out videos")
        scores = [self.surprise_of(in_turn(heldout, row)).score for row in rows]
        found = torch.tensor(scores, dtype=torch.float64)
        keep_surprise(self.predictor, found)
        return found

    def scores_of(self, stream: VideoStream, first: int = 0) -> Iterator[Scored]:
        """One result a video from the `first` on, in their order."""
        config = self.predictor.config
        for video in stream.videos[first:]:
            frames = Counted(stream.frames(video, int(config.resolution or 0), config.fit))
            try:
                found = self.surprise_of(frames)
            except UnreadableError as error:
                yield Scored(video.name, "broken", str(error))
                continue
            self.short += frames.count < self.shape.span
            score = torch.tensor(found.score, dtype=torch.float64)
            rarity = float(p_values(score, self.calibration))
            verdict = "anomalous" if rarity <= self.rate else "normal"
            yield Scored(video.name, verdict, "", found.score, rarity, found.picture.cpu())

    def surprise_of(self, frames: Iterable[Pixels]) -> Surprise:
        config = self.predictor.config
        found = video_surprise(
            self.network,
            windows_of(frames, self.shape),
            frames=config.frames,
            temperature=config.temperature,
            batch_size=self.batch,
        )
        if not math.isfinite(found.score):
            raise CheckpointError(
                f"{self.predictor.folder.path} gives scores that are not finite (NaN or "
                "infinite), which say nothing: its run has diverged. Train it anew."
            )
        return found

    def judged(self, notes: Sequence[str]) -> Judged:
        """For the page."""
        predictor, side = self.predictor, self.predictor.config.resolution
        how = (
            f"The score is the surprise of {predictor.name} at step {predictor.step:,}, in nats: "
            f"how badly it predicts what comes next in a video, averaged over its windows "
            f"({self.window}). Videos are scored at {side} × {side} pixels "
            f"({predictor.config.fit}); each is shown by a frame from its middle."
        )
        return Judged(
            calibration=self.calibration,
            rate=self.rate,
            how=how,
            title="Surprise",
            axis="surprise",
            of="video",
            normal="videos like those of its training",
            heat=False,
            notes=notes,
        )

    @property
    def window(self) -> str:
        shape = self.shape
        return (
            f"{shape.blocks} blocks of {shape.frames} frames, stride {shape.stride}; neighbours "
            "overlap by half"
        )


def in_turn(clips: Clips, row: int) -> Iterator[Pixels]:
    """The frames of a video one after the other, of which some are in memory at once."""
    length = int(clips.lengths[row])
    for start in range(0, length, READ_AT_ONCE):
        yield from clips.frames(row, range(start, min(start + READ_AT_ONCE, length))).numpy()


class Counted:
    """Frames, and how many there were."""

    def __init__(self, frames: Iterable[Pixels]) -> None:
        self.frames, self.count = frames, 0

    def __iter__(self) -> Iterator[Pixels]:
        for frame in self.frames:
            self.count += 1
            yield frame


def notes_on(options: ScoreOptions, judge: Judge) -> list[str]:
    """What the reader has to know of these videos."""
    notes, config = [], judge.predictor.config
    if judge.short:
        how = "looped" if config.short == "loop" else "padded with their last frame"
        are = "video of fewer than" if judge.short == 1 else "videos of fewer than"
        notes.append(
            f"{judge.short:,} {are} {judge.shape.span} frames, which a window spans: {how}."
        )
    if within(options.images, config.data):
        notes.append(
            "The run was trained on videos of this data, which it foresees better than new ones, "
            "or holds them out to judge by, where they are compared with themselves. Score others."
        )
    return notes
