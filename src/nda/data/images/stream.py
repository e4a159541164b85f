"""Images one batch after another, in memory that does not grow with their number.

Unlike `load_images`, which holds a whole set, this reads ahead only a few batches; files that
cannot be read are reported in their place and do not stop the rest.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nda.data.reading.decode import Fit, Pixels, quiet_pillow, read_pixels
from nda.data.reading.layout import MASKS
from nda.data.reading.open import open_bytes, open_member, open_raw
from nda.data.reading.source import UNREAD_PICTURES, open_source
from nda.data.reading.values import Values
from nda.errors import DataError
from nda.runtime.files import StrPath

_CHUNK = 32  # images a thread decodes at once, fewer where they are large
_CHUNK_BYTES = 8 * 2**20  # and how large all of them may be
LONGEST_LINE = 1 << 16  # bytes; paths have at most 4,096 on Linux
_AHEAD = 8  # chunks decoded beyond the batch that is asked for


@dataclass(frozen=True)
class StreamedBatch:
    """Some images in the order of their names.

    `names` and `reasons` tell of every file, `reasons[i]` being why it could not be read or empty;
    `images` uint8 (n, 3, R, R) are those that could, in the same order.
    """

    names: list[str]
    reasons: list[str]
    images: Tensor


@dataclass(frozen=True)
class Stream:
    """Pictures by name: how many, where that is known, and what opens one, from any thread.

    `where` is the folder or archive that they lie in, "" for paths, None for pictures at hand;
    `stamps` tell sizes and changes of its files (`nda.data.reading.source`), each of which is a
    file by itself where they are `loose`.
    """

    names: Iterable[str]
    count: int | None
    open_image: Callable[[str], Image.Image]
    values: Values = field(default_factory=Values)
    where: str | None = None
    stamps: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    loose: bool = True

    def batches(self, size: int, resolution: int, fit: Fit) -> Generator[StreamedBatch, None, None]:
        """Batches of `size` files, decoded ahead on all cores and brought to `resolution`."""
        chunk_size = max(1, min(_CHUNK, _CHUNK_BYTES // (3 * resolution**2)))
        ahead = _AHEAD + size // chunk_size
        waiting: deque[Future[list[tuple[str, Pixels | str]]]] = deque()
        ready: list[tuple[str, Pixels | str]] = []

        def decode(names: list[str]) -> list[tuple[str, Pixels | str]]:
            return [(name, self._read(name, resolution, fit)) for name in names]

        with quiet_pillow(), ThreadPoolExecutor() as pool:
            try:
                for chunk in _in_chunks(self.names, chunk_size):
                    waiting.append(pool.submit(decode, chunk))
                    if len(waiting) > ahead:
                        ready += waiting.popleft().result()
                    while len(ready) >= size:
                        yield _batch(ready[:size], resolution)
                        ready = ready[size:]
                while waiting or ready:
                    while waiting and len(ready) < size:
                        ready += waiting.popleft().result()
                    yield _batch(ready[:size], resolution)
                    ready = ready[size:]
            finally:
                pool.shutdown(cancel_futures=True)

    def whole(self) -> Iterator[tuple[str, Tensor | str]]:
        """Each picture in its own pixels, uint8 (3, H, W), or why not: one at a time in memory."""
        for name in self.names:
            with quiet_pillow():  # not while the caller works, whose warnings are others
                pixels = self._read(name, None, "crop")
            yield name, pixels if isinstance(pixels, str) else torch.from_numpy(pixels)

    def _read(self, name: str, resolution: int | None, fit: Fit) -> Pixels | str:
        pixels = read_pixels(partial(self.open_image, name), resolution, fit)
        if isinstance(pixels, str):
            return pixels
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (R, R, 3) to (3, R, R)


@contextmanager
def open_stream(
    source: StrPath, bit_depth: int | None = None, *, raw: bool = False
) -> Iterator[Stream]:
    """The pictures of a folder or a `.zip`, in order of their names; `DataError` for others.

    Masks of MVTec's layouts (`ground_truth/`, also inside a split) are left out. The numbers in
    files of more than 8 bits are those of `bit_depth` (`nda.data.reading.values`), or `raw` for
    labels,
    which are no shades.
    """
    # Pictures that cannot be read are rows of their own: nobody should believe them scored.
    with open_source(Path(source).expanduser(), UNREAD_PICTURES, bit_depth=bit_depth) as opened:
        names = sorted(n for n in opened.stamps if MASKS not in n.split("/")[:-1][:2])
        opener = partial(open_raw if raw else open_member, opened)
        loose = Path(opened.where).is_dir() and not opened.sharded
        yield Stream(names, len(names), opener, opened.values, opened.where, opened.stamps, loose)


def stream_of_paths(
    paths: Iterable[str], bit_depth: int | None = None, *, raw: bool = False
) -> Stream:
    """The pictures at the paths, in their order, as these come; the keywords as `open_stream`."""
    values = Values(bit_depth)
    return Stream(paths, None, partial(_open_path, None if raw else values), values, "")


def listed_paths(file: BinaryIO) -> Iterator[str]:
    """The paths in a list, one a line: UTF-8 with or without a byte-order mark, or any bytes.

    Empty lines are passed over. A path may stand in double quotes, as Windows copies it, unless a
    file is called so with them. Raises `DataError` for a line that no path is as long as.
    """
    lines = iter(partial(file.readline, LONGEST_LINE + 1), b"")
    for number, line in enumerate(lines):
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"Line {number + 1} of the list has more than {LONGEST_LINE:,} bytes, so it is no "
                "path; give one path a line."
            )
        plain = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
        path = os.fsdecode(plain.rstrip(b"\r\n"))
        if len(path) > 2 and path[0] == path[-1] == '"' and not os.path.lexists(path):
            path = path[1:-1]
        if path.strip():
            yield path


def _open_path(values: Values | None, name: str) -> Image.Image:
    path = Path(name).expanduser()
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # a device or a pipe may never end
        raise ValueError("not a file")
    image = open_bytes(found.st_size, path.read_bytes)
    return image if values is None else values.read(image, name)


def _in_chunks(names: Iterable[str], size: int) -> Iterator[list[str]]:
    left = iter(names)
    while chunk := list(islice(left, size)):
        yield chunk


def _batch(read: list[tuple[str, Pixels | str]], resolution: int) -> StreamedBatch:
    reasons = [pixels if isinstance(pixels, str) else "" for _, pixels in read]
    whole = [pixels for _, pixels in read if not isinstance(pixels, str)]
    images = torch.empty(0, 3, resolution, resolution, dtype=torch.uint8)
    if whole:
        images = torch.from_numpy(np.stack(whole))
    return StreamedBatch([name for name, _ in read], reasons, images)
