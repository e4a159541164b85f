"""Pictures of a run folder, made part of the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

LARGE, SMALL = 1600, 1000  # pixels across at most, so that a page of large images stays light


@dataclass(frozen=True)
class Picture:
    """A picture for an `img` element; `uri` is empty where the file could not be read."""

    caption: str
    uri: str
    width: int
    height: int


def embed(path: Path, caption: str, *, widest: int) -> Picture:
    """The PNG at `path` as a data URI, shrunk to `widest` pixels where it is larger."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.load()  # a file cut short shows itself only now
            width, height = image.size
            if width > widest:
                width, height = widest, max(1, round(height * widest / width))
                data = _png(image.convert("RGB").resize((width, height), Image.Resampling.BOX))
    except (OSError, SyntaxError, ValueError):  # Pillow's ways to say that a PNG is broken
        return Picture(caption, "", 0, 0)
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    return Picture(caption, uri, width, height)


def shown(image: Image.Image, caption: str, *, widest: int) -> Picture:
    """A picture that is no file, made part of the page, shrunk where it is larger."""
    width, height = image.size
    if width > widest:
        width, height = widest, max(1, round(height * widest / width))
        image = image.convert("RGB").resize((width, height), Image.Resampling.BOX)
    uri = "data:image/png;base64," + base64.b64encode(_png(image)).decode()
    return Picture(caption, uri, width, height)


def evenly_spaced(steps: list[int], most: int) -> list[int]:
    """At most `most` of the steps, first and last among them."""
    if len(steps) <= most:
        return steps
    return [steps[round(index * (len(steps) - 1) / (most - 1))] for index in range(most)]


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
