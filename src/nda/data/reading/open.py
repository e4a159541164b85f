"""Pictures of a source, opened but not decoded, where their size is a sensible one."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, features

from nda.data.reading.source import Source

_ALSO = {"AVIF": "avif", "JPEG2000": "jpg_2000"}  # where Pillow was built with what reads them

FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP"),  # none that runs a program
    # features.check would warn of one that an older Pillow has never heard of.
    *(name for name, feature in _ALSO.items() if feature in features.get_supported()),
)

MAX_BYTES = 256 * 2**20  # of one file, as its folder or archive declares it


def open_member(source: Source, name: str) -> Image.Image:
    """A picture of a source, opened, with its numbers taken as its `values` say.

    Raises where it is too large, no picture, or has numbers of an unknown range.
    """
    return source.values.read(open_raw(source, name), name)


def open_raw(source: Source, name: str) -> Image.Image:
    """A picture of a source, opened but not decoded; raises where it is too large or no picture."""
    return open_bytes(source.stamps[name][0], lambda: source.read(name))


def open_bytes(size: int, read: Callable[[], bytes]) -> Image.Image:
    """The picture in a file of `size` bytes, which are read only where that is a sensible size."""
    if size > MAX_BYTES:
        raise ValueError(f"{size / 2**20:.0f} MiB, more than the {MAX_BYTES >> 20} MiB read")
    if size == 0:
        raise ValueError("an empty file")
    return Image.open(io.BytesIO(read()), formats=FORMATS)
