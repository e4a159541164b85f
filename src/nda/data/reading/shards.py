"""A folder of tar shards: images in a few large files, each read from its own place in any order.

`nda data shard` writes an index beside each tar and a list of all of them; then nothing is scanned
when the set is opened, and every image is checked when it is read. Tars that others wrote have
neither: their headers are read once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from nda.data.reading.tar_members import Place, members_of, points_outside
from nda.errors import DataError
from nda.runtime.sealed import DamagedError, load_json

LIST = "shards.json"  # of the shards in its folder
LISTED = ("version", "images", "classes", "shards")
INDEXED = ("tar_sha256", "names", "offsets", "sizes", "crc32")  # of one tar, image by image
VERSION = 1
TAR = ".tar"


def is_shard_set(names: Iterable[str], endings: tuple[str, ...]) -> bool:
    """Whether a folder with these files is one: it has our list, or tars and no loose images."""
    files = [name.lower() for name in names]
    tars = any(name.endswith(TAR) for name in files)
    return LIST in files or (tars and not any(name.endswith(endings) for name in files))


def places_in(folder: Path, names: Collection[str], endings: tuple[str, ...]) -> dict[str, Place]:
    """Where each image of the set lies, by its name `[split/][class/]name`.

    `names` are the files of the folder. Raises `DataError` where a shard is missing, cut short or
    changed, which a look at its size and its index tells; of an image, its reading tells.
    """
    tars = sorted(name for name in names if name.lower().endswith(TAR))
    if (folder / LIST).exists():
        _refuse_loose(folder, names, endings)
        return _listed(folder, tars, endings)
    _refuse_lost_list(folder, names, tars)
    found: dict[str, Place] = {}
    for tar in tars:
        for name, place in members_of(folder / tar, tar, endings):
            if name in found:
                raise DataError(
                    f"{folder}: {found[name].tar.name} and {tar} both hold an image {name}. Give "
                    "samples keys of their own."
                )
            found[name] = place
    return found


def index_of(tar: str) -> str:
    """The name of the index of a tar."""
    return tar[: -len(TAR)] + ".json"


def _refuse_loose(folder: Path, names: Iterable[str], endings: tuple[str, ...]) -> None:
    """Refuse images beside shards that have a list: nobody should believe that they were taken."""
    if loose := sorted(name for name in names if name.lower().endswith(endings)):
        raise DataError(
            f"{folder / loose[0]} lies beside shards, and only what {LIST} names is taken. Move it "
            "away, or make the shards anew with it."
        )


def _refuse_lost_list(folder: Path, names: Collection[str], tars: Iterable[str]) -> None:
    """Refuse our tars without their list: classes would be numbers, and masks images."""
    if lists := sorted(name for name in names if posixpath.basename(name) == LIST):
        inside = folder / posixpath.dirname(lists[0])
        raise DataError(f"{folder} has shards with their list in a folder inside. Give {inside}.")
    for index in filter(names.__contains__, map(index_of, tars)):
        try:
            load_json(folder / index, INDEXED)
        except DamagedError:
            continue  # of somebody else
        raise DataError(
            f"{folder / LIST}, the list of the shards there, is missing. Fetch it again, or make "
            "the shards anew."
        )


def _listed(folder: Path, tars: list[str], endings: tuple[str, ...]) -> dict[str, Place]:
    content = _load(folder / LIST, LISTED, _check_list)
    if content["version"] != VERSION:
        raise DataError(
            f"{folder / LIST} is of version {content['version']}, and this nda reads {VERSION}; "
            "make the shards anew."
        )
    shards = {shard["name"]: shard for shard in content["shards"]}
    for name in sorted({*shards, *tars}):
        _check_shard(folder / name, shards.get(name))
    found: dict[str, Place] = {}
    for name, shard in shards.items():
        index = _load(folder / index_of(name), INDEXED, _check_index)
        if index["tar_sha256"] != shard["sha256"]:
            raise DataError(
                f"{folder / index_of(name)} is the index of another shard than {LIST} names. Fetch "
                "the two, and the tar, from one set."
            )
        columns = (index[column] for column in INDEXED[1:])
        for each, offset, size, crc32 in zip(*columns, strict=True):
            if each.lower().endswith(endings):
                found[each] = Place(folder / name, offset, size, crc32, checked=True)
    return found


def _check_shard(tar: Path, listed: dict[str, Any] | None) -> None:
    if listed is None:
        raise DataError(
            f"{tar} is a shard that {LIST} beside it does not name. Move it away, or make the "
            "shards anew."
        )
    if not tar.is_file():
        raise DataError(f"{tar}, a shard that {LIST} names, is missing. Fetch it again.")
    size = tar.stat().st_size
    if size != listed["bytes"]:
        fault = "cut short" if size < listed["bytes"] else "changed"
        raise DataError(
            f"{tar} has {size:,} bytes, and {LIST} says {listed['bytes']:,}: it is {fault}. Fetch "
            "it again, or make the shards anew."
        )


def _check_list(content: dict[str, Any]) -> None:
    if content["version"] != VERSION:
        return  # whose words are others; its reader says so
    for shard in content["shards"]:
        if "/" in shard["name"] or not shard["name"].lower().endswith(TAR):
            raise DamagedError(f"it names {shard['name']!r}, which is no tar beside it")
        if not isinstance(shard["bytes"], int) or not isinstance(shard["sha256"], str):
            raise DamagedError(f"what it says of {shard['name']} is no size and digest")


def _check_index(content: dict[str, Any]) -> None:
    """Names lead to files that other commands write, so none may point outside of a folder."""
    names, *numbers = (content[column] for column in INDEXED[1:])
    if outside := next(filter(points_outside, names), None):
        raise DamagedError(f"{outside!r} is a name that points outside")
    for column in numbers:
        if len(column) != len(names) or not all(type(n) is int and n >= 0 for n in column):
            raise DamagedError("it does not say of each image where it lies")


def _load(
    path: Path, names: tuple[str, ...], check: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    if not path.exists():
        raise DataError(f"{path}, the index of a shard, is missing. Fetch it again.")
    try:
        content = load_json(path, names)
        if missing := sorted(set(names) - set(content)):
            raise DamagedError(f"it has no {missing[0]!r}")
        check(content)
    except (DamagedError, TypeError, KeyError, AttributeError) as error:  # or of other types
        raise DataError(
            f"{path} is damaged, or not as 'nda data shard' writes it ({error}). Fetch it again, "
            "or make the shards anew."
        ) from error
    return content
