"""Which videos a folder or zip holds: files, or folders of frames, `[split/][class/]name`."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from nda.data.reading.layout import (
    and_more,
    choose_classes,
    choose_split,
    heldout_split,
    parse_layout,
)
from nda.data.reading.source import EXTENSIONS
from nda.errors import DataError

VIDEO_EXTENSIONS = (
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".ogv", ".ts", ".webm", ".wmv",
)  # fmt: skip
_NUMBER = re.compile(r"(\d+)\D*$")  # the last number in the name of a frame


@dataclass(frozen=True)
class Video:
    """A video file, or a folder of frames.

    `frames` are the names of a folder's frames in order, empty for a file. `fault` says why a
    folder cannot be used, where that shows in the names.
    """

    name: str
    split: str = ""
    label: str = ""
    frames: tuple[str, ...] = ()
    fault: str = ""

    @property
    def members(self) -> tuple[str, ...]:
        """The files it consists of."""
        return self.frames or (self.name,)


def find_videos(names: Iterable[str], where: str) -> list[Video]:
    """The videos among the files of a source, in order of their names.

    Raises `DataError` where there are both video files and pictures: the latter might be frames
    of the former.
    """
    names = list(names)
    files = [name for name in names if name.lower().endswith(VIDEO_EXTENSIONS)]
    pictures = [name for name in names if name.lower().endswith(EXTENSIONS)]
    if files and pictures:
        raise DataError(
            f"{where} holds video files ({min(files)}{and_more(len(files) - 1)}) and pictures "
            f"({min(pictures)}{and_more(len(pictures) - 1)}). Keep one kind: videos, or folders of "
            "their frames."
        )
    found = {name: Video(name) for name in files} or folders_of_frames(
        pictures, posixpath.splitext(posixpath.basename(where))[0] or "."
    )
    return [
        replace(found[entry.name], split=entry.split, label=entry.label)
        for entry in parse_layout(found, where)
    ]


def folders_of_frames(pictures: Iterable[str], root: str) -> dict[str, Video]:
    """A video for each folder that holds pictures; pictures in no folder are the video `root`."""
    folders = defaultdict(list)
    for name in pictures:
        folders[posixpath.dirname(name) or root].append(name)
    return {name: _in_order(name, frames) for name, frames in folders.items()}


def _in_order(folder: str, names: Sequence[str]) -> Video:
    """Frames by the last number in their names, which must go up in equal steps."""
    numbers = {name: _number(posixpath.basename(name)) for name in names}
    without = sorted(name for name, number in numbers.items() if number is None)
    if without and len(names) > 1:
        return Video(folder, frames=tuple(names), fault=f"{_base(without[0])} has no frame number")
    ordered = sorted(names, key=lambda name: (numbers[name] or 0, name))
    steps = [(numbers[after] or 0) - (numbers[before] or 0) for before, after in pairwise(ordered)]
    least = min(steps, default=1)
    fault = ""
    for (before, after), step in zip(pairwise(ordered), steps, strict=True):
        if step == 0:
            fault = f"{_base(before)} and {_base(after)} have the same frame number"
        elif step != least and not fault:
            missing = step // least - 1 if least else step
            frames = "a frame is" if missing <= 1 else f"{missing} frames are"
            fault = f"{frames} missing between {_base(before)} and {_base(after)}"
    return Video(folder, frames=tuple(ordered), fault=fault)


def _number(base: str) -> int | None:
    found = _NUMBER.search(posixpath.splitext(base)[0])
    return int(found.group(1)) if found else None


_base = posixpath.basename


@dataclass(frozen=True)
class Chosen:
    """Videos of one split, their labels, and the classes that the labels are indices into."""

    videos: list[Video]
    labels: list[int]
    classes: tuple[str, ...]


def choose(videos: Sequence[Video], split: str | None, where: str) -> str:
    """The split asked for, as `nda.data.reading.layout.choose_split`, in words for videos."""
    present = {video.split for video in videos}
    if split is not None and present <= {""}:
        raise DataError(
            f"{where} has no split {split!r}: its videos lie in no split folders, and no split "
            "files name them. Leave the split out, or give --split_file."
        )
    return choose_split(present, split, where)


def heldout(videos: Sequence[Video], training: str) -> str | None:
    """The split to evaluate on, where there is one."""
    return heldout_split({video.split for video in videos}, training)


def select_videos(
    videos: Sequence[Video], split: str, classes: Sequence[str] | None, where: str
) -> Chosen:
    """The videos of `split` in `classes` (all by default), which are sorted by name.

    The classes are those of all splits, so a label means the same in each of them.
    """
    chosen = [video for video in videos if video.split == split]
    known = sorted({video.label for video in videos if video.label})
    kept = choose_classes(known if any(video.label for video in chosen) else [], classes, where)
    if kept:
        loose = [video.name for video in chosen if not video.label]
        if loose:
            raise DataError(
                f"{where}: {loose[0]}{and_more(len(loose) - 1)} lies beside the class folders, not "
                "in one. Move it into the folder of its class, or away."
            )
        asked = set(kept)
        chosen = [video for video in chosen if video.label in asked]
    if not chosen:
        raise DataError(
            f"{where} has no videos in {f'the {split} split' if split else 'it'}"
            f"{' of class ' + ', '.join(kept) if classes else ''}; at least 1 is needed."
        )
    numbers = {name: number for number, name in enumerate(kept)}
    return Chosen(chosen, [numbers.get(video.label, 0) for video in chosen], kept)
