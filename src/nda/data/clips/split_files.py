"""Split files: which videos train and which test, as UCF101, HMDB51 and plain lists say it.

- UCF101: `trainlist01.txt` and `testlist01.txt` with lines `Class/name.avi 1`, of three folds;
- HMDB51: `<class>_test_split1.txt` with lines `name.avi 1`, where 1 trains, 2 tests and 0 is
  neither, of three folds;
- plain: `train.txt`, `test.txt`, `val.txt` with a name a line.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nda.data.clips.layout import VIDEO_EXTENSIONS, Video
from nda.data.reading.layout import SPLITS, and_more
from nda.data.reading.unicode_names import composed, text_of
from nda.errors import DataError

_UCF = re.compile(r"(train|test|val)list0*(\d+)\.txt", re.IGNORECASE)
_HMDB = re.compile(r"(.+)_test_split(\d+)\.txt", re.IGNORECASE)
_PLAIN = re.compile(rf"({'|'.join(SPLITS)})\.txt", re.IGNORECASE)
_LABELLED = re.compile(r"(.+\.\w+)\s+-?\d+")
_HMDB_SPLITS = {"1": "train", "2": "test", "0": ""}
_NAMED = 10  # absent videos that a message names


@dataclass(frozen=True)
class Listed:
    """A video as a split file names it, and the split it is put into ("" for none)."""

    name: str
    split: str
    file: str


def lists_beside(names: Iterable[str]) -> list[str]:
    """Those of a source's text files that are split files: plain ones only at its root."""
    return [
        name
        for name in sorted(names)
        if _UCF.fullmatch(posixpath.basename(name))
        or _HMDB.fullmatch(posixpath.basename(name))
        or _PLAIN.fullmatch(name)
    ]


def read_split_files(path: Path, fold: int) -> list[Listed]:
    """The lists in a folder of split files; of a single file, the folder and fold it belongs to.

    Raises `DataError` where there are none, or none of this fold.
    """
    path = path.expanduser()
    folder = path
    if path.is_file():
        folder = path.parent
        if named := _UCF.fullmatch(path.name) or _HMDB.fullmatch(path.name):
            fold = int(named.group(2))
        elif not _PLAIN.fullmatch(path.name):
            raise DataError(f"--split_file {path} has no name of a split file; {_EXPECTED}.")
    elif not path.is_dir():
        raise DataError(f"There is no split file or folder of them {path}. Check the path.")
    texts = {
        file.name: list_text(file.read_bytes(), str(file))
        for file in sorted(folder.glob("*.txt"))
        if lists_beside([file.name])
    }
    if not texts:
        raise DataError(f"{folder} holds no split files; {_EXPECTED}.")
    return parse_lists(texts, fold, str(folder))


_EXPECTED = (
    "expected are trainlist01.txt and testlist01.txt (UCF101), <class>_test_split1.txt (HMDB51), "
    "or train.txt and test.txt"
)


def list_text(content: bytes, where: str) -> str:
    """The text of a split file; refuses UTF-16 that is cut short (`DataError`)."""
    try:
        return text_of(content)
    except ValueError as error:
        raise DataError(f"{where} cannot be read ({error}). Mend it.") from error


def parse_lists(texts: Mapping[str, str], fold: int, where: str) -> list[Listed]:
    """What split files `{name: text}` say, of one fold where they have several."""
    listed: list[Listed] = []
    folds: set[int] = set()
    for file, text in texts.items():
        base = posixpath.basename(file)
        lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
        if named := _UCF.fullmatch(base):
            folds.add(int(named.group(2)))
            if int(named.group(2)) == fold:
                split = named.group(1).lower()
                listed += [Listed(_without_label(line), split, base) for line in lines]
        elif named := _HMDB.fullmatch(base):
            folds.add(int(named.group(2)))
            if int(named.group(2)) == fold:
                listed += [_hmdb(line, named.group(1), f"{where}: {base}") for line in lines]
        else:
            split = posixpath.splitext(base)[0].lower()
            listed += [Listed(_without_label(line), split, base) for line in lines]
    if folds and fold not in folds:
        raise DataError(
            f"{where} has no split files of fold {fold}. Choose --fold among "
            f"{', '.join(map(str, sorted(folds)))}."
        )
    return listed


def _without_label(line: str) -> str:
    found = _LABELLED.fullmatch(line)
    return (found.group(1) if found else line).replace("\\", "/").removeprefix("./")


def _hmdb(line: str, label: str, where: str) -> Listed:
    name, _, part = line.rpartition(" ")
    if part not in _HMDB_SPLITS:
        raise DataError(
            f"{where} has the line {line!r}, which is no name followed by 0, 1 or 2. Fetch the "
            "split files of HMDB51 anew."
        )
    return Listed(f"{label}/{name.strip()}", _HMDB_SPLITS[part], where.rpartition(" ")[2])


def sort_by_lists(
    videos: Sequence[Video], listed: Sequence[Listed], classes: Sequence[str] | None, where: str
) -> tuple[list[Video], int]:
    """Videos with the splits that the lists give them, and how many the lists leave out.

    A listed name is matched by its end: `Class/name.avi` finds `UCF-101/Class/name.avi` and the
    folder of frames `Class/name`. With `classes`, lists are read for these alone.

    Raises `DataError` that lists the absent videos, and for names that fit several videos or
    stand in two splits.
    """
    wanted: set[str] = set()
    if classes:
        wanted = {composed(each) for each in ([classes] if isinstance(classes, str) else classes)}
        listed = [each for each in listed if _label(each.name) in {*wanted, ""}]
    by_end: dict[str, list[Video]] = defaultdict(list)
    for video in videos:
        parts = _stem(video.name).split("/")
        for first in range(len(parts)):
            by_end["/".join(parts[first:])].append(video)
    absent = [each for each in listed if _stem(each.name) not in by_end]
    if absent:
        raise _absent(absent, where)
    placed: dict[str, Video] = {}
    for each in listed:
        found = by_end[_stem(each.name)]
        if len(found) > 1:
            raise DataError(
                f"{each.file} names {each.name}, which fits {found[0].name} and {found[1].name} in "
                f"{where}. Keep one of them."
            )
        video = replace(found[0], split=each.split, label=_label(each.name) or found[0].label)
        before = placed.setdefault(video.name, video)
        if before.split != video.split:
            raise DataError(
                f"{each.file} puts {each.name} into {video.split or 'no split'}, another line into "
                f"{before.split or 'no split'}. Keep one of them."
            )
    kept = [placed[video.name] for video in videos if video.name in placed]
    kept = [video for video in kept if video.split]
    # With classes chosen, videos of the others are not asked about.
    asked = [video for video in videos if not classes or (video.label in wanted)]
    there = {video.name for video in kept}
    return kept, sum(video.name not in there for video in asked)


def _absent(absent: Sequence[Listed], where: str) -> DataError:
    files = sorted({each.file for each in absent})
    named = ", ".join(each.name for each in absent[:_NAMED]) + and_more(
        max(0, len(absent) - _NAMED)
    )
    some = "a video" if len(absent) == 1 else f"{len(absent)} videos"
    return DataError(
        f"{files[0]}{and_more(len(files) - 1)} names {some} that {where} lacks: {named}. Fetch "
        "them, take them out of the list, or choose --classes that are there."
    )


def _stem(name: str) -> str:
    """The name without the ending of a video file."""
    name = composed(name)
    stem, ending = posixpath.splitext(name)
    return stem if ending.lower() in VIDEO_EXTENSIONS else name


def _label(name: str) -> str:
    return composed(posixpath.basename(posixpath.dirname(name)))
