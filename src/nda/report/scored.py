"""A scored image: its row in the table, and its picture under its heat."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from nda.report.cells import as_cell, as_remark, from_cell
from nda.report.pictures.grid import save_png
from nda.report.pictures.heat import overlay

LONGEST = 200  # bytes that are kept of a part of a name; disks take 255, some of them fewer
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f-\x9f]')
_DIGEST = re.compile(r"~[0-9a-f]{16}$")  # as at the end of a name that was changed
HEADER = ("file", "score", "p_value", "log10_p", "verdict", "reason")
VERDICTS = ("anomalous", "normal", "broken")


@dataclass(frozen=True)
class Scored:
    """One file: its score and what follows from it, or why it could not be read.

    `pixels` uint8 (3, R, R) is the image as it was scored, or a frame of a video, and `heat` (h, w)
    in [0, 1] its heat, which a video does not have.
    """

    file: str
    verdict: str  # one of VERDICTS
    reason: str
    score: float | None = None
    p_value: float | None = None
    pixels: Tensor | None = None
    heat: Tensor | None = None

    def row(self) -> tuple[str, ...]:
        """What the table says of it, in the order of HEADER."""
        score = "" if self.score is None else f"{self.score:.6g}"
        p_value = "" if self.p_value is None else f"{self.p_value:.6g}"
        log = "" if self.p_value is None else f"{math.log10(self.p_value):.4g}"
        return (as_cell(self.file), score, p_value, log, self.verdict, as_remark(self.reason))

    @classmethod
    def of(cls, row: Sequence[str]) -> Scored:
        """What a row of the table tells, which has no pictures."""
        file, score, p_value, _, verdict, reason = row
        return cls(
            from_cell(file),
            verdict,
            reason,
            float(score) if score else None,
            float(p_value) if p_value else None,
        )


def plain(scored: Scored) -> Image.Image:
    """The image as it was scored."""
    assert scored.pixels is not None
    return Image.fromarray(np.ascontiguousarray(scored.pixels.permute(1, 2, 0).numpy()))


def heated(scored: Scored) -> Image.Image:
    """The image under its heat."""
    assert scored.pixels is not None
    assert scored.heat is not None
    under = overlay(scored.pixels[None], scored.heat[None])[0]
    return Image.fromarray(np.ascontiguousarray(under.permute(1, 2, 0).numpy()))


def save_heat(scored: Scored, folder: Path) -> Path:
    """Write the image under its heat as PNG below `folder`, named and placed as the file is."""
    path = folder / picture_name(scored.file)
    save_png(heated(scored), path)
    return path


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
