"""A scored image: its row in the table, and its picture under its heat."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from torch import Tensor

from nda.report.grid import save_png
from nda.report.heat import overlay

HEADER = ("file", "score", "p_value", "verdict", "reason")
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
        return (self.file, score, p_value, self.verdict, self.reason)


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
    parts = [part for part in PurePosixPath(scored.file).parts if part.strip("/") not in ("", "..")]
    safe = [re.sub(r'[\\:*?"<>|\x00]', "_", part) for part in parts] or ["image"]
    path = folder.joinpath(*safe)
    path = path.with_name(f"{path.name}.png")  # a.jpg and a.png stay two files
    save_png(heated(scored), path)
    return path
