"""A scored image: its row in the table, and its picture under its heat."""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nda.report.cells import as_cell, as_remark, from_cell
from nda.report.pictures.grid import save_png
from nda.report.pictures.heat import overlay
from nda.runtime.files import write_atomically

LONGEST = 200  # bytes that are kept of a part of a name; disks take 255, some of them fewer
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f-\x9f]')
_DIGEST = re.compile(r"~[0-9a-f]{16}$")  # as at the end of a name that was changed
HEADER = ("file", "score", "p_value", "log10_p", "verdict", "reason")
PLACED = (*HEADER, "x", "y")  # where large images are scored in tiles
LARGEST = 2048  # pixels a side of the picture of a large image
SMALL = 512  # and of one on a page
VERDICTS = ("anomalous", "normal", "broken")


@dataclass(frozen=True)
class Scored:
    """One file: its score and what follows from it, or why it could not be scored.

    `pixels` uint8 (3, R, R) is the image as it was scored, or a frame of a video, and `heat` (h, w)
    in [0, 1] its heat, which a video does not have. A large image has, beside itself at fewer
    pixels, the `place` of its highest score, x and y in its own, and the tile around it as a
    `closeup` uint8 (3, R, R).
    """

    file: str
    verdict: str  # one of VERDICTS
    reason: str
    score: float | None = None
    p_value: float | None = None
    pixels: Tensor | None = None
    heat: Tensor | None = None
    place: tuple[int, int] | None = None
    closeup: Tensor | None = None
    painted: bytes | None = None  # the PNG of its heat, where another process has drawn it

    def row(self, header: Sequence[str] = HEADER) -> tuple[str, ...]:
        """What the table says of it, in the order of HEADER or PLACED."""
        score = "" if self.score is None else f"{self.score:.6g}"
        p_value = "" if self.p_value is None else f"{self.p_value:.6g}"
        log = "" if self.p_value is None else f"{math.log10(self.p_value):.4g}"
        place = ("", "") if self.place is None else tuple(map(str, self.place))
        said = (as_cell(self.file), score, p_value, log, self.verdict, as_remark(self.reason))
        return (*said, *place)[: len(header)]

    @classmethod
    def of(cls, row: Sequence[str]) -> Scored:
        """What a row of the table tells, which has no pictures."""
        file, score, p_value, _, verdict, reason, *place = row
        return cls(
            from_cell(file),
            verdict,
            reason,
            float(score) if score else None,
            float(p_value) if p_value else None,
            place=(int(place[0]), int(place[1])) if any(place) else None,
        )


def as_written(score: float) -> float:
    """A score as it comes back from the table."""
    return float(f"{score:.6g}")


def shrunk(pixels: Tensor, largest: int = LARGEST) -> Tensor:
    """A picture uint8 (3, H, W) at a whole fraction of its size, none of its sides `largest`."""
    fraction = -(-max(pixels.shape[1:]) // largest)
    if fraction == 1:
        return pixels
    small = np.array(picture_of(pixels).reduce(fraction))
    return torch.from_numpy(small).permute(2, 0, 1).contiguous()


def for_page(scored: Scored) -> Scored:
    """The same, a large image at few enough pixels for a page that has many of them."""
    if scored.pixels is None or scored.closeup is None:
        return scored
    return replace(scored, pixels=shrunk(scored.pixels, SMALL))


def picture_of(pixels: Tensor | None) -> Image.Image:
    """Pixels uint8 (3, H, W) as a picture."""
    assert pixels is not None
    return Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))


def heated(scored: Scored) -> Image.Image:
    """The image under its heat."""
    assert scored.pixels is not None
    assert scored.heat is not None
    return picture_of(overlay(scored.pixels[None], scored.heat[None])[0])


def save_heat(scored: Scored, folder: Path) -> Path:
    """Write the image under its heat as PNG below `folder`, named and placed as the file is."""
    path = folder / picture_name(scored.file)
    content = scored.painted
    if content is None:
        save_png(heated(scored), path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write(content))
    return path


def without_pictures(scored: Scored, *, painted: bool) -> Scored:
    """The same for another process, which gets no picture, or with `painted` that of the heat."""
    content = None
    if painted and scored.pixels is not None:
        file = io.BytesIO()
        heated(scored).save(file, format="PNG")
        content = file.getvalue()
    return replace(scored, pixels=None, heat=None, closeup=None, painted=content)


def picture_name(file: str) -> str:
    """A path for the picture of a file, a different one for every name.

    `a/b.jpg` gives `a/b.jpg.png`. Where a name cannot stay as it is, because it is absolute, leads
    upward, is too long or has characters that not every disk takes, a digest of it follows.
    """
    parts = [part for part in file.split("/") if part not in ("", ".", "..")]
    safe = [_shortened(_UNSAFE.sub("_", part)) for part in parts] or ["image"]
    name = "/".join(safe)
    if name != file or _DIGEST.search(name):
        name += f"~{hashlib.blake2b(os.fsencode(file), digest_size=8).hexdigest()}"
    return f"{name}.png"  # a.jpg and a.png stay two files


def _shortened(part: str) -> str:
    return os.fsdecode(os.fsencode(part)[:LONGEST]) if len(os.fsencode(part)) > LONGEST else part
