"""Loading videos: files or folders of frames become clips of uint8 frames, cached once decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from nda.data.clips.clip_set import Clips
from nda.data.clips.frame_store import ClipStore, digest_of
from nda.data.clips.layout import Chosen, Video, choose, find_videos, heldout, select_videos
from nda.data.clips.reader import FileReader, open_videos
from nda.data.clips.sampling import draw_starts, span, windows
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

__all__ = [
    "ClipSplits",
    "Clips",
    "draw_clips",
    "draw_starts",
    "load_clip_splits",
    "load_clips",
    "span",
    "windows",
]


_LOOKED_AT = 8  # videos of which some frames are read before all are


@dataclass(frozen=True)
class ClipSplits:
    """Videos to train on and videos to evaluate on; `heldout_name` says what the latter are."""

    train: Clips
    heldout: Clips
    heldout_name: str


@dataclass(frozen=True)
class _Options:
    path: Path
    resolution: int
    classes: Sequence[str] | None
    fit: Fit
    split_file: StrPath | None
    fold: int
    skip_broken: bool
    cache: bool
    folder: Path
    bit_depth: int | None = None

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise DataError(f"--resolution must be 1 pixel or more; got {self.resolution}.")


def load_clips(
    source: StrPath,
    *,
    resolution: int,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    fit: Fit = "crop",
    split_file: StrPath | None = None,
    fold: int = 1,
    skip_broken: bool = False,
    bit_depth: int | None = None,
    cache: bool = True,
    cache_dir: StrPath | None = None,
) -> Clips:
    """The videos of one split of `source`, each read to its end once.

    `source` is a folder or a `.zip` (read in place) of video files, or of folders of frames whose
    numbers go up in equal steps; or one video file. Inside, videos are named
    `[split/][class/]name`. Where no folders are splits, split files may sort them: those beside
    them (`train.txt` and `test.txt` at the root, those of UCF101 and HMDB51 anywhere), or those
    of `split_file`, a folder of them or one of them, with the `fold` of UCF101 or HMDB51. Videos
    that split files do not name are left out and counted.

    Frames become RGB with the shorter side resized to `resolution` and the middle cut out, or with
    `fit="stretch"` wholly square. The frames of a file are those that it stores, whatever its rate.

    With `cache` decoded frames are kept in `cache_dir` (by default that of `load_images`): 3 *
    resolution² bytes each. Without, videos are decoded anew for every clip.

    Raises `DataError` for broken videos, naming them (`skip_broken` lists them in `skipped` in
    place of that), and for split files that name absent videos; `ConfigError` without PyAV.
    """
    options = _Options(
        path=Path(source).expanduser(),
        resolution=resolution,
        classes=classes,
        fit=fit,
        split_file=split_file,
        fold=fold,
        skip_broken=skip_broken,
        cache=cache,
        folder=cache_folder(cache_dir),
        bit_depth=bit_depth,
    )
    with open_videos(options.path, options.bit_depth) as opened:
        videos, unlisted = _videos(opened, options)
        chosen = choose(videos, split, opened.where)
        selected = select_videos(videos, chosen, classes, opened.where)
        return _clips(opened, selected, unlisted, options)


def load_clip_splits(
    source: StrPath,
    *,
    resolution: int,
    holdout: float = 0.1,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    fit: Fit = "crop",
    split_file: StrPath | None = None,
    fold: int = 1,
    skip_broken: bool = False,
    bit_depth: int | None = None,
    cache: bool = True,
    cache_dir: StrPath | None = None,
) -> ClipSplits:
    """Videos to train on and held-out ones; the keywords are those of `load_clips`.

    Held out is the test split, else the validation split. Where there is neither, every k-th
    recording is (`Clips.without_every`), about a share `holdout` of them; with `holdout=0` nothing
    is, and the training videos serve for both.
    """
    if not 0 <= holdout <= 0.5:
        raise DataError(
            f"--holdout must be 0 (nothing held out) or a share of at most 0.5; got {holdout}."
        )
    options = _Options(
        path=Path(source).expanduser(),
        resolution=resolution,
        classes=classes,
        fit=fit,
        split_file=split_file,
        fold=fold,
        skip_broken=skip_broken,
        cache=cache,
        folder=cache_folder(cache_dir),
        bit_depth=bit_depth,
    )
    with open_videos(options.path, options.bit_depth) as opened:
        videos, unlisted = _videos(opened, options)
        training = choose(videos, split, opened.where)
        selected = select_videos(videos, training, classes, opened.where)
        train = _clips(opened, selected, unlisted, options)
        if other := heldout(videos, training):
            selected = select_videos(videos, other, classes, opened.where)
            return ClipSplits(train, _clips(opened, selected, unlisted, options), f"{other} split")
    if not holdout:
        return ClipSplits(train, train, "training videos (nothing held out)")
    every = round(1 / holdout)
    rest, held = train.without_every(every)
    if not len(rest):
        raise DataError(
            f"{source} is of one recording, so nothing can be held out of it. Give --holdout 0, or "
            "more videos."
        )
    return ClipSplits(rest, held, f"1 of {every} recordings, held out")


def draw_clips(
    source: StrPath,
    count: int,
    *,
    resolution: int,
    generator: torch.Generator,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    fit: Fit = "crop",
    split_file: StrPath | None = None,
    fold: int = 1,
    skip_broken: bool = False,
    bit_depth: int | None = None,
) -> tuple[Clips, str]:
    """At most `count` videos of one split, drawn before any is read, and the split ("" for none).

    The split is one that is held out where there is one and none is asked for. The other keywords
    are those of `load_clips`, as are the errors. Nothing is kept but the number of frames.
    """
    path = Path(source).expanduser()
    options = _Options(
        path,
        resolution,
        classes,
        fit,
        split_file,
        fold,
        skip_broken,
        False,
        cache_folder(),
        bit_depth,
    )
    with open_videos(path, bit_depth) as opened:
        videos, unlisted = _videos(opened, options)
        chosen = choose(videos, split or heldout(videos, ""), opened.where)
        selected = select_videos(videos, chosen, classes, opened.where)
        drawn = torch.randperm(len(selected.videos), generator=generator)[:count].tolist()
        some = Chosen(
            [selected.videos[index] for index in drawn],
            [selected.labels[index] for index in drawn],
            selected.classes,
        )
        return _clips(opened, some, unlisted, options), chosen


def _videos(source: Source, options: _Options) -> tuple[list[Video], int]:
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


def _clips(source: Source, chosen: Chosen, unlisted: int, options: _Options) -> Clips:
    way = (options.resolution, options.fit, options.bit_depth)
    store = ClipStore(options.folder, source.where, *way, keep=options.cache)
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
        reader=FileReader(options.path, videos, lengths, store),
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
