"""What lies where in a tar: files are then read at their place, without what stands before them."""

from __future__ import annotations

import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nda.data.reading.layout import split_of
from nda.errors import DataError

_CLASS = "cls"  # WebDataset's ending for the class of a sample, as text
_LONGEST_CLASS = 255  # bytes, as of a folder
_END = bytes(2 * tarfile.BLOCKSIZE)  # what every tar ends with


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a file lie: in which tar, from where on, how many; `mark` tells a change.

    `checked` says that the mark is the CRC-32 of the bytes, by which they are known when read.
    """

    tar: Path
    offset: int
    size: int
    mark: int
    checked: bool

    def read(self) -> bytes:
        """The bytes, from any thread; raises `ValueError` where they are others than were listed.

        Opened each time: shards may be more than a process can hold open, and it takes 20 us.
        """
        with self.tar.open("rb", buffering=0) as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise ValueError(f"{self.tar.name} was cut short since it was opened")
        if self.checked and zlib.crc32(content) != self.mark:
            raise ValueError(f"{self.tar.name} has other bytes there than were written into it")
        return content


def points_outside(name: str) -> bool:
    """Whether a name in an archive would lead out of the folder that it is put into."""
    return name.startswith("/") or ".." in name.split("/")


def members_of(tar: Path, inside: str, endings: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
    """The files of a tar that have one of the `endings`, by `[split/][class/]name`.

    `inside` is the tar's path within its folder. Files that share a name up to the first dot are
    a sample, as in WebDataset: `.cls` holds its class. Samples without lie as the tar's own folders
    say. The split is what a folder around the tar, or a word of the tar's name, says.

    Raises `DataError` where the tar is cut short or no tar, and for names that point outside.
    """
    mark = tar.stat().st_mtime_ns
    found: dict[str, list[tuple[str, Place]]] = {}
    classes: dict[str, str] = {}
    for name, offset, size in _files(tar):
        folder, base = posixpath.split(name)
        key, _, ending = base.partition(".")
        sample = posixpath.join(folder, key)
        place = Place(tar, offset, size, mark + offset, checked=False)
        if ending.lower() == _CLASS:
            classes[sample] = _class_in(place, name)
        elif base.lower().endswith(endings):
            found.setdefault(sample, []).append((name, place))
    split, stem = _split_of(inside), posixpath.splitext(inside)[0].replace("/", "-")
    for sample, files in found.items():
        for name, place in files:
            if sample in classes:
                own = f"{classes[sample]}/{stem}/{name}"
            else:  # names of loose files may come again in the next shard
                own = name if "/" in name else f"{stem}-{name}"
            yield posixpath.join(split, own), place


def _files(tar: Path) -> Iterator[tuple[str, int, int]]:
    """Name, offset and size of every visible file."""
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                name = posixpath.normpath(member.name)
                if points_outside(name):
                    raise DataError(
                        f"{tar}: {member.name!r} has a name that points outside the archive. Make "
                        "the tar anew from plain files."
                    )
                if member.isfile() and not any(p.startswith(".") for p in name.split("/")):
                    yield name, member.offset_data, member.size
        with tar.open("rb") as file:
            file.seek(-len(_END), 2)
            whole = file.read() == _END
    except (tarfile.TarError, OSError) as error:
        raise DataError(_cut_short(tar, str(error))) from error
    if not whole:
        raise DataError(_cut_short(tar, "it does not end as a tar does"))


def _cut_short(tar: Path, why: str) -> str:
    return f"{tar} is not a readable tar ({why}): it may be cut short. Fetch or make it anew."


def _class_in(place: Place, name: str) -> str:
    text = place.read().decode("utf-8", "replace").strip() if place.size <= _LONGEST_CLASS else ""
    if not text or "/" in text or not text.isprintable() or text.startswith("."):
        raise DataError(
            f"{place.tar}: {name} names no class; a .cls file holds a number or one word."
        )
    return text


def _split_of(inside: str) -> str:
    """The split that the last folder or word says which is one: `train-000000.tar`."""
    words = re.split(r"[/_.-]", posixpath.splitext(inside)[0])
    return next((word for word in reversed(words) if split_of(word)), "")
