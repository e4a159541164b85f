"""Videos, files or folders of frames, as documented functions: the clips of a split."""

from __future__ import annotations

from collections.abc import Sequence

from nda.data.clips.clip_set import Clips
from nda.data.clips.sampling import draw_starts, span, windows
from nda.data.clips.source import ClipSource, ClipSplits
from nda.data.reading.decode import Fit
from nda.runtime.files import StrPath

__all__ = [
    "ClipSplits",
    "Clips",
    "draw_starts",
    "load_clip_splits",
    "load_clips",
    "span",
    "windows",
]


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
    way = (fit, split_file, fold, skip_broken, bit_depth, cache, cache_dir)
    return ClipSource(source, resolution, classes, *way).load(split)


def load_clip_splits(
    source: StrPath,
    *,
    resolution: int,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    holdout: float = 0.1,
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
    way = (fit, split_file, fold, skip_broken, bit_depth, cache, cache_dir)
    return ClipSource(source, resolution, classes, *way).splits(holdout, split)
