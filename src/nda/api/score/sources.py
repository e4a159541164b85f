"""What a scoring scores: a folder, a .zip, one image, a list of paths, or images at hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nda.data.images.given import stream_of_pictures
from nda.data.images.stream import Stream, listed_paths, open_stream, stream_of_paths
from nda.data.reading.source import EXTENSIONS
from nda.errors import ConfigError


@contextmanager
def images_of(source: str, bit_depth: int | None = None, at_hand: Any = None) -> Iterator[Stream]:
    """The images of a folder or zip, one image, those that standard input lists, or at hand."""
    if at_hand is not None:
        yield stream_of_pictures(at_hand)
        return
    if source == "-":
        yield stream_of_paths(listed_paths(sys.stdin.buffer), bit_depth)
        return
    if source.startswith("torchvision:"):
        raise ConfigError(
            f"{source} cannot be scored; give a folder, a .zip, or - for paths on standard input."
        )
    if Path(source).suffix.lower() in EXTENSIONS and Path(source).is_file():
        yield stream_of_paths([source], bit_depth)
        return
    with open_stream(Path(source), bit_depth) as stream:
        yield stream


def names_of(stream: Stream, at_hand: Any) -> list[str] | None:
    """The names of all images, where they are files and known before any is read."""
    if at_hand is not None:
        return []
    return None if stream.count is None else list(stream.names)
