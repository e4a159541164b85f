"""Translations of a run as files, and several runs' side by side (paper, Figure 7)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nda.report.pictures.grid import image_grid, save_png

INPUT, TRUTH = "input.png", "truth.png"
LARGEST = 128  # pixels; small images are enlarged up to this side


def save_translations(
    folder: Path, step: int, inputs: Tensor, outputs: Tensor, truths: Tensor
) -> None:
    """Rows of input, output and truth as `step-<n>.png` to look at, and each alone to be compared.

    All are uint8 `(N, 3, R, R)`. `input.png`, `truth.png` and `output-<n>.png` hold the images one
    below the other, pixel by pixel.
    """
    rows = torch.stack([inputs, outputs, truths], dim=1).flatten(0, 1)
    grid = image_grid(rows, 3, scale=_scale(rows), column_labels=["input", "output", "truth"])
    save_png(grid, folder / f"step-{step:08d}.png")
    for name, images in ((INPUT, inputs), (TRUTH, truths), (f"output-{step:08d}.png", outputs)):
        save_png(Image.fromarray(_column(images)), folder / name)


def compared_translations(
    folders: Sequence[Path], labels: Sequence[str], step: int
) -> Image.Image | None:
    """Rows of input, each run's output at a step, truth; None where they do not show the same.

    Args:
        folders: the `samples` folders of the runs.
        labels: what stands above each run's outputs.
        step: the step of the outputs.
    """
    inputs, truths = ([_read(folder / name) for folder in folders] for name in (INPUT, TRUTH))
    outputs = [_read(folder / f"output-{step:08d}.png") for folder in folders]
    columns = [inputs[0], *outputs, truths[0]]
    if not columns or any(column is None for column in columns):
        return None
    known = [column for column in columns if column is not None]
    same = all(_equal(inputs[0], other) for other in inputs) and all(
        _equal(truths[0], other) for other in truths
    )
    if not same or len({column.shape for column in known}) > 1:
        return None
    rows = torch.stack(known, dim=1).flatten(0, 1)
    names = ["input", *labels, "truth"]
    return image_grid(rows, len(known), scale=_scale(rows), column_labels=names)


def _scale(images: Tensor) -> int:
    return max(1, LARGEST // images.shape[-1])


def _column(images: Tensor) -> NDArray[np.uint8]:
    """(N, 3, R, R) as one picture (N·R, R, 3)."""
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).flatten(0, 1).numpy(force=True))


def _read(path: Path) -> Tensor | None:
    """The square images below each other in a file, uint8 (N, 3, R, R); None without the file."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError):  # Pillow's ways to say that a PNG is broken
        return None
    height, side = pixels.shape[:2]
    if not height or height % side:
        return None
    return torch.from_numpy(pixels.copy()).view(-1, side, side, 3).permute(0, 3, 1, 2)


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and torch.equal(one, other)
