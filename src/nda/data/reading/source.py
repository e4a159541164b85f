"""Where image files come from: a folder, or a zip or tars of one, which are read in place."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from nda.data.reading.layout import has_splits, split_of
from nda.data.reading.shards import is_shard_set, places_in
from nda.data.reading.tar_members import points_outside
from nda.data.reading.unicode_names import member_name
from nda.data.reading.values import Values
from nda.errors import DataError
from nda.runtime.files import absent
from nda.validators import count_of

EXTENSIONS = (
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm",
    ".tif", ".tiff", ".webp",
)  # fmt: skip
UNREAD_PICTURES = (
    ".arw", ".cr2", ".cr3", ".dng", ".eps", ".exr", ".hdr", ".heic", ".heif", ".ico", ".jxl",
    ".nef", ".psd", ".raw", ".svg", ".tga",
)  # fmt: skip
"""Endings of pictures that are passed over, or told of one by one where each file matters."""
SYSTEM_FOLDERS = frozenset({
    "__macosx", "@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "lost+found",
    "recycler", "system volume information",
})  # fmt: skip
"""Folders in small letters that systems and network drives make: thumbnails, deleted files."""


NO_FILE = (-1, -1)  # the stamp of a pipe, a socket or a device, which is never opened
NO_FILES = "pipes or devices"  # what they are told as


@dataclass(frozen=True)
class Source:
    """The image files of a folder or archive, and those of other endings that were asked for.

    `stamps` maps each name (parts joined by "/") to its size in bytes and a mark that changes with
    its content: the time of modification, in a zip the checksum. `read` gives a file's bytes and
    may be called from several threads. `values` is the rule for what the numbers in them mean, and
    `passed` counts the visible files of other endings, by ending, and what is no file. Of tars
    (`sharded`), `read` needs nothing that is open.
    """

    where: str
    stamps: dict[str, tuple[int, int]]
    read: Callable[[str], bytes]
    values: Values = field(default_factory=Values)
    passed: Mapping[str, int] = field(default_factory=dict)
    sharded: bool = False


@contextmanager
def open_source(
    path: Path,
    also: tuple[str, ...] = (),
    *,
    needed: tuple[str, ...] = EXTENSIONS,
    kind: str = "images",
    bit_depth: int | None = None,
) -> Iterator[Source]:
    """The images under `path`, a folder, a `.zip` or a folder of tar shards; refuses all else.

    `also` are endings in small letters, such as `.xml`, of files that belong to the images. At
    least one file must have a `needed` ending: it is of the `kind` that messages speak of.
    `bit_depth` is that of pictures of more than 8 bits (`nda.data.reading.values`). What is refused
    is a `DataError`.
    """
    values = Values(bit_depth)
    with ExitStack() as opened:
        yield replace(_source(path, (*needed, *also), opened, (kind, needed)), values=values)


def _source(
    path: Path, endings: tuple[str, ...], opened: ExitStack, needed: tuple[str, tuple[str, ...]]
) -> Source:
    try:
        if path.is_dir():
            return _folder(path, endings, needed)
        if path.suffix.lower() == ".zip" and path.is_file():
            return _zip(path, opened.enter_context(_opened_zip(path)), endings, needed)
        fault = _not_a_source(path, needed[0])
    except OSError as error:
        raise DataError(
            f"{error.filename or path} cannot be read ({error.strerror or error}). "
            "Check the path and its permissions."
        ) from error
    raise DataError(fault)


def _not_a_source(path: Path, kind: str) -> str:
    if path.exists():
        sets = " or torchvision:NAME" if kind == "images" else ""
        folder = f"a folder of {kind}{',' if sets else ' or'} a .zip of one{sets}"
        return f"{path} is a single file. Give {folder}."
    return absent(path)


def _folder(path: Path, endings: tuple[str, ...], needed: tuple[str, tuple[str, ...]]) -> Source:
    everything = dict(_walk(path, "", ()))
    found = {name: stamp for name, stamp in everything.items() if stamp != NO_FILE}
    if is_shard_set(found, needed[1]):
        return _shards(path, found, endings, needed)
    stamps = {name: stamp for name, stamp in found.items() if name.lower().endswith(endings)}
    _require(path, needed, found)
    inside = _wrapper_of_splits(stamps)
    stamps = {name.removeprefix(inside): stamp for name, stamp in stamps.items()}
    root = path / inside
    passed = passed_over(found, [inside + name for name in stamps])
    if others := len(everything) - len(found):
        passed[NO_FILES] = others
    return replace(source_of_files(root, stamps), passed=passed)


def source_of_files(root: Path, stamps: dict[str, tuple[int, int]]) -> Source:
    """Files of a folder whose names and stamps are known already."""
    return Source(str(root), stamps, lambda name: _read_file(root / name))


def _shards(
    path: Path,
    files: Collection[str],
    endings: tuple[str, ...],
    needed: tuple[str, tuple[str, ...]],
) -> Source:
    places = places_in(path, files, endings)
    _require(path, needed, places or files)
    inside = _wrapper_of_splits(places)
    places = {name.removeprefix(inside): place for name, place in places.items()}
    stamps = {name: (place.size, place.mark) for name, place in places.items()}
    return Source(str(path), stamps, lambda name: places[name].read(), sharded=True)


def _read_file(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):  # a link to a pipe or a device may never end
        raise ValueError("not a file")
    return path.read_bytes()


def _walk(
    folder: Path, prefix: str, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every visible file under `folder`, through links; a link back to a folder above is left."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_hidden(entry.name):
                continue
            if entry.is_dir():
                yield from _walk(folder / entry.name, f"{prefix}{entry.name}/", (*above, here))
            elif entry.is_file() or entry.is_symlink():
                # A link to nothing is listed too: its reading fails and names it.
                found = entry.stat(follow_symlinks=entry.is_file())
                yield prefix + entry.name, (found.st_size, found.st_mtime_ns)
            else:
                yield prefix + entry.name, NO_FILE


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DataError(
            f"{path} is not a readable zip ({error}): it may be cut short. Fetch or make it anew."
        ) from error


def _zip(
    path: Path,
    archive: zipfile.ZipFile,
    endings: tuple[str, ...],
    needed: tuple[str, tuple[str, ...]],
) -> Source:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member_name(member)
        _check_member(path, name, member)
        name = posixpath.normpath(name)
        if not member.is_dir() and not any(map(_is_hidden, name.split("/"))):
            members[name] = member  # of a name that comes twice, the later one, as unzip does
    kept = {name: member for name, member in members.items() if name.lower().endswith(endings)}
    _require(path, needed, members)
    passed = passed_over(members, kept)
    kept = _without_wrapper(kept)
    inside = _wrapper_of_splits(kept)
    kept = {name.removeprefix(inside): member for name, member in kept.items()}
    stamps = {name: (member.file_size, member.CRC) for name, member in kept.items()}
    # Reading checks the checksum and stops at the declared size, whatever follows.
    return Source(str(path), stamps, lambda name: archive.read(kept[name]), passed=passed)


def _check_member(path: Path, name: str, member: zipfile.ZipInfo) -> None:
    if not name:
        fault = "is a name of no letter"
    elif points_outside(name) or re.match("[A-Za-z]:", name):
        fault = "has a name that points outside the archive"
    elif member.flag_bits & 1:
        fault = "is encrypted"
    elif stat.S_ISLNK(member.external_attr >> 16):
        fault = "is a symbolic link"
    else:
        return
    raise DataError(f"{path}: {name!r} {fault}. Make the zip anew from plain files.")


def _wrapper_of_splits(names: Collection[str]) -> str:
    """The folders, each alone in the one above, around a set's splits: "" or ending with "/"."""
    inside = ""
    left = list(names)
    while len({name.split("/")[0] for name in left}) == 1 and all("/" in name for name in left):
        if has_splits(left):
            return inside
        inside += left[0].split("/")[0] + "/"
        left = [name.split("/", 1)[1] for name in left]
    return inside if has_splits(left) else ""


def _without_wrapper(images: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Names without the one folder that holds everything, unless that folder means something.

    It does where it is a split, or a number with images right inside: the only class of a data set
    of counted objects.
    """
    tops = {name.split("/")[0] for name in images}
    wrapped = len(tops) == 1 and all("/" in name for name in images)
    if not wrapped or split_of(top := next(iter(tops))):
        return images
    if count_of(top) is not None and all(name.count("/") == 1 for name in images):
        return images
    return {name.split("/", 1)[1]: member for name, member in images.items()}


def passed_over(names: Iterable[str], kept: Collection[str]) -> dict[str, int]:
    """How many of the visible files are not kept, by their ending in small letters."""
    chosen = set(kept)
    endings = (posixpath.splitext(name)[1].lower() for name in names if name not in chosen)
    return dict(Counter(ending or "no ending" for ending in endings))


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part.lower() in SYSTEM_FOLDERS


def _require(path: Path, needed: tuple[str, tuple[str, ...]], files: Collection[str]) -> None:
    kind, endings = needed
    if not any(name.lower().endswith(endings) for name in files):
        others = sorted(files)[:3]
        holds = f" It holds {', '.join(others)}." if others else " It is empty."
        raise DataError(f"{path} holds no {kind} ({', '.join(endings)}).{holds}")
