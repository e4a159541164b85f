"""Image files as tar shards that WebDataset reads, with an index that nda reads them by.

A sample is the file as it was, byte by byte, and `.cls`, the number of its class. The same images
make the same bytes, whatever folder, archive or file system they come from.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nda.data.reading.decode import quiet_pillow, read_pixels
from nda.data.reading.layout import MASKS, parse_layout
from nda.data.reading.open import open_bytes
from nda.data.reading.passed import passed_reasons
from nda.data.reading.shards import LIST, TAR, VERSION, index_of
from nda.data.reading.source import Source, open_source
from nda.data.shards.tar_writer import Sample, write_tars
from nda.errors import ConfigError, DataError
from nda.runtime.files import A_DAY, StrPath, sweep, temporary_name, write_text_atomically
from nda.runtime.progress import progress
from nda.runtime.sealed import sealed_json

_TOGETHER = 64  # files that are read before the first of them is written


@dataclass(frozen=True)
class Written:
    """How many images went into how many shards, which could not be read, and what else there was.

    `passed` says of what is no image, such as the files of boxes, that it was left out.
    """

    images: int
    shards: int
    bytes: int
    skipped: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()


def write_shards(
    source: StrPath,
    out: StrPath,
    *,
    most_bytes: int = 2**28,
    seed: int = 0,
    skip_broken: bool = False,
) -> Written:
    """Write the images of a folder or `.zip` into the new folder `out`, in shards of `most_bytes`.

    Within a split they come in an order that `seed` draws, so that whoever reads shards from their
    beginning meets all classes. Every file is decoded once, so that none in a set is broken: those
    that are raise `DataError`, or with `skip_broken` are left out and told.
    The folder is there as a whole or not at all; shards that were at `out` are replaced.
    """
    out = Path(out)
    refuse_others_files(out)
    out = out.resolve()  # a link stays one, and what it points to is written
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep(out.parent, older=A_DAY)  # what was killed; other machines may write there too
    unfinished = out.parent / temporary_name()
    try:
        unfinished.mkdir()
        with open_source(Path(source).expanduser()) as opened:
            written = _write(opened, unfinished, most_bytes, seed, skip_broken)
        _replace(out, unfinished)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return written


def refuse_others_files(out: Path) -> None:
    """Refuse (`ConfigError`) to replace a folder that holds anything but shards, and a disk."""
    if os.path.ismount(out):
        raise ConfigError(
            f"--out {out} is where a disk is mounted, which cannot be replaced; give a folder "
            "in it."
        )
    if out.is_dir():
        tars = {path.name for path in out.glob(f"*{TAR}")}
        ours = {LIST, *tars, *map(index_of, tars)} if (out / LIST).exists() else set()
        others = sorted(path.name for path in out.iterdir() if path.name not in ours)
        if not others:
            return
        held = f"holds {others[0]}, which is no shard"
    elif os.path.lexists(out):
        held = "is a file"
    else:
        return
    raise ConfigError(f"--out {out} {held}; give a new folder.")


def _replace(out: Path, unfinished: Path) -> None:
    if out.is_dir():
        # A name that can be seen and that no sweep takes away: a kill between the two leaves it.
        old = out.parent / f"{out.name}.replaced-{secrets.token_hex(4)}"
        out.rename(old)
        unfinished.rename(out)
        shutil.rmtree(old)
    else:
        unfinished.rename(out)


def _write(source: Source, folder: Path, most_bytes: int, seed: int, skip_broken: bool) -> Written:
    entries = {entry.name: entry for entry in parse_layout(source.stamps, source.where)}
    classes = sorted({entry.label for entry in entries.values() if entry.label})
    numbers = {name: number for number, name in enumerate(classes)}
    parts: dict[str, list[str]] = {}
    for name in sorted(source.stamps):
        part = (entries[name].split or "images") if name in entries else MASKS
        parts.setdefault(part, []).append(name)
    shards: list[dict[str, Any]] = []
    skipped: list[str] = []
    counts: Counter[str] = Counter()

    def samples(names: Sequence[str]) -> Iterator[Sample]:
        for name, content, fault in _read(source, names):
            advance()
            if fault:
                if not skip_broken:
                    raise _broken(source.where, name, fault)
                skipped.append(f"{name} ({fault})")
                continue
            label = entries[name].label if name in entries else ""
            counts[label] += 1
            yield Sample(name, content, numbers.get(label))

    with progress("writing shards", len(source.stamps)) as advance:
        for part, names in sorted(parts.items()):
            random.Random(f"{seed} {part}").shuffle(names)
            shards += write_tars(folder, part, samples(names), most_bytes)
    if not shards:
        raise DataError(f"{source.where} has no image that can be read, the first {skipped[0]}.")
    images = counts.total()
    of_class = {name: counts[name] for name in classes}
    listed = {"version": VERSION, "images": images, "classes": of_class, "shards": shards}
    write_text_atomically(folder / LIST, sealed_json(listed, indent=1) + "\n")
    size = sum(shard["bytes"] for shard in shards)
    passed = tuple(passed_reasons(source.passed))
    return Written(images, len(shards), size, tuple(skipped), passed)


def _read(source: Source, names: Sequence[str]) -> Iterator[tuple[str, bytes, str]]:
    """Each file in order with its bytes, and why it is no picture that can be read."""

    def read(name: str) -> tuple[str, bytes, str]:
        content = b""

        def kept() -> bytes:
            nonlocal content
            content = source.read(name)
            return content

        def opened() -> Any:
            return source.values.read(open_bytes(source.stamps[name][0], kept), name)

        pixels = read_pixels(opened, None)
        return name, content, pixels if isinstance(pixels, str) else ""

    with quiet_pillow(), ThreadPoolExecutor() as pool:
        for first in range(0, len(names), _TOGETHER):
            yield from pool.map(read, names[first : first + _TOGETHER])


def _broken(where: str, name: str, fault: str) -> DataError:
    return DataError(
        f"{where}: {name} cannot be read ({fault}). Mend it or take it away, or give --skip-broken."
    )
