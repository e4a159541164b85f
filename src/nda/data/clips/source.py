"""Where videos come from: files or folders of frames become clips, cached once decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from nda.data.clips.clip_set import Clips
from nda.data.clips.frame_store import ClipStore, digest_of
from nda.data.clips.layout import Chosen, Video, choose, find_videos, heldout, select_videos
from nda.data.clips.reader import FileReader, open_videos
from nda.data.clips.split_files import (
    list_text,
    lists_beside,
    parse_lists,
    read_split_files,
    sort_by_lists,
)
from nda.data.reading.decode import Fit, quiet_pillow, read_pixels
from nda.data.reading.layout import and_more
from nda.data.reading.open import open_member
from nda.data.reading.source import Source
from nda.errors import DataError
from nda.runtime.files import StrPath, cache_folder

_LOOKED_AT = 8  # videos of which some frames are read before all are


@dataclass(frozen=True)
class ClipSplits:
    """Videos to train on and videos to evaluate on; `heldout_name` says what the latter are."""

    train: Clips
    heldout: Clips
    heldout_name: str


@dataclass(frozen=True)
class ClipSource:
    """Where videos come from and how they are read, as `load_clips` says in full.

    Args:
        path: folder or .zip of videos or of folders of frames, or one video file
        resolution: side in pixels that frames are brought to
        classes: the class folders to use; None for all
        fit: how frames become squares: crop (their middle) or stretch (all of them)
        split_file: file or folder that says which videos train and which test
        fold: which of several splits these files describe
        skip_broken: leave out videos that cannot be read in place of refusing them
        bit_depth: bits of the numbers in frames of more than 8
        cache: keep decoded frames in `cache_dir`
        cache_dir: where; None for the usual place
    """

    path: StrPath
    resolution: int
    classes: Sequence[str] | None = None
    fit: Fit = "crop"
    split_file: StrPath | None = None
    fold: int = 1
    skip_broken: bool = False
    bit_depth: int | None = None
    cache: bool = True
    cache_dir: StrPath | None = None

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise DataError(f"--resolution must be 1 pixel or more; got {self.resolution}.")

    def load(self, split: str | None = None) -> Clips:
        """The videos of one split, as `load_clips`."""
        with self._opened() as (opened, videos, unlisted):
            chosen = choose(videos, split, opened.where)
            selected = select_videos(videos, chosen, self.classes, opened.where)
            return _clips(opened, selected, unlisted, self)

    def splits(self, holdout: float = 0.1, split: str | None = None) -> ClipSplits:
        """Videos to train on and held-out ones, as `load_clip_splits`."""
        if not 0 <= holdout <= 0.5:
            raise DataError(
                f"--holdout must be 0 (nothing held out) or a share of at most 0.5; got {holdout}."
            )
        with self._opened() as (opened, videos, unlisted):
            training = choose(videos, split, opened.where)
            selected = select_videos(videos, training, self.classes, opened.where)
            train = _clips(opened, selected, unlisted, self)
            if other := heldout(videos, training):
                selected = select_videos(videos, other, self.classes, opened.where)
                held = _clips(opened, selected, unlisted, self)
                return ClipSplits(train, held, f"{other} split")
        if not holdout:
            return ClipSplits(train, train, "training videos (nothing held out)")
        every = round(1 / holdout)
        rest, held = train.without_every(every)
        if not len(rest):
            raise DataError(
                f"{self.path} is of one recording, so nothing can be held out of it. Give "
                "--holdout 0, or more videos."
            )
        return ClipSplits(rest, held, f"1 of {every} recordings, held out")

    def draw(
        self, count: int, *, generator: torch.Generator, split: str | None = None
    ) -> tuple[Clips, str]:
        """At most `count` videos of one split, drawn before any is read, and the split.

        The split is one that is held out where there is one and none is asked for; it is "" where
        the videos have none. Nothing is kept but the number of frames.
        """
        with self._opened() as (opened, videos, unlisted):
            chosen = choose(videos, split or heldout(videos, ""), opened.where)
            selected = select_videos(videos, chosen, self.classes, opened.where)
            drawn = torch.randperm(len(selected.videos), generator=generator)[:count].tolist()
            some = Chosen(
                [selected.videos[index] for index in drawn],
                [selected.labels[index] for index in drawn],
                selected.classes,
            )
            return _clips(opened, some, unlisted, replace(self, cache=False)), chosen

    @contextmanager
    def _opened(self) -> Iterator[tuple[Source, list[Video], int]]:
        """What is read, all its videos with their splits, and how many no split file names."""
        with open_videos(Path(self.path).expanduser(), self.bit_depth) as opened:
            yield opened, *_videos(opened, self)


def _videos(source: Source, options: ClipSource) -> tuple[list[Video], int]:
    """All videos with their splits, and how many no split file names."""
    videos = find_videos(source.stamps, source.where)
    if options.split_file is not None:
        listed = read_split_files(Path(options.split_file), options.fold)
        return sort_by_lists(videos, listed, options.classes, source.where)
    lists = lists_beside(source.stamps)
    if not lists or any(video.split for video in videos):
        return videos, 0
    texts = {name: list_text(source.read(name), f"{source.where}: {name}") for name in lists}
    listed = parse_lists(texts, options.fold, source.where)
    return sort_by_lists(videos, listed, options.classes, source.where)


def _clips(source: Source, chosen: Chosen, unlisted: int, options: ClipSource) -> Clips:
    way = (options.resolution, options.fit, options.bit_depth)
    store = ClipStore(cache_folder(options.cache_dir), source.where, *way, keep=options.cache)
    _require_range(source, chosen.videos)
    counted, broken = store.scan(source, chosen.videos)
    if broken and (not options.skip_broken or not counted):
        raise _unreadable(source.where, chosen.videos, broken)
    whole = [index for index in range(len(chosen.videos)) if index not in broken]
    videos = [chosen.videos[index] for index in whole]
    lengths = [each.frames for each in counted]
    # Without a number of bits as it was before there were any.
    seen = digest_of([part for part in way if part is not None])
    return Clips(
        names=tuple(video.name for video in videos),
        labels=torch.tensor([chosen.labels[index] for index in whole]),
        classes=chosen.classes,
        lengths=torch.tensor(lengths),
        digests=tuple(f"{each.digest}-{seen[:8]}" for each in counted),
        resolution=options.resolution,
        reader=FileReader(Path(options.path).expanduser(), videos, lengths, store),
        skipped=tuple(f"{chosen.videos[i].name}: {broken[i]}" for i in sorted(broken)),
        unlisted=unlisted,
    )


def _require_range(source: Source, videos: Sequence[Video]) -> None:
    """Refuse folders of frames whose 16 bits are almost black, as far as some frames show it."""
    some = [video for video in videos if video.frames][:_LOOKED_AT]
    with quiet_pillow():
        for video in some:
            for name in {video.frames[0], video.frames[len(video.frames) // 2], video.frames[-1]}:
                read_pixels(partial(open_member, source, name), None)
    source.values.require_range(source.where)


def _unreadable(where: str, videos: Sequence[Video], broken: dict[int, str]) -> DataError:
    index, reason = min(broken.items())
    more = and_more(len(broken) - 1)
    none_left = len(broken) == len(videos)
    remedy = "Mend it or take it away" + ("." if none_left else ", or give --skip-broken.")
    return DataError(f"{where}: {videos[index].name} cannot be read ({reason}){more}. {remedy}")
