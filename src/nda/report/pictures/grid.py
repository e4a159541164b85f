"""Grids of images with labels, for previews and samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nda.errors import ConfigError, ShapeError
from nda.runtime.files import StrPath, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

GAP = 4  # pixels between cells and around the grid
LARGEST_PICTURE = 400_000_000  # pixels of a grid
LARGEST_CELL = 96  # pixels; small images are enlarged up to this side
LABEL_GAP = 8  # pixels between a label and the cells
INK = (32, 32, 32)


def image_grid(
    images: Tensor,
    columns: int,
    *,
    scale: int | None = None,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
) -> Image.Image:
    """Images in reading order on white, each pixel enlarged to `scale` × `scale` (nearest).

    Args:
        images: uint8 (N, 3, H, W), N at least 1; a last row that is not full stays white.
        columns: images in a row.
        scale: integer factor; by default the largest that keeps a cell within 96 pixels.
        row_labels: a label left of each row.
        column_labels: a label above each column.

    Raises:
        ShapeError: `images` is not uint8 (N, 3, H, W).
        ConfigError: columns, scale or the number of labels do not fit.
    """
    _check_images(images)
    rows = _check_layout(len(images), columns, scale, row_labels, column_labels)
    height, width = images.shape[-2:]
    factor = scale or max(1, LARGEST_CELL // max(height, width))
    cells = images.permute(0, 2, 3, 1).numpy(force=True)
    cells = cells.repeat(factor, axis=1).repeat(factor, axis=2)  # (N, H·factor, W·factor, 3)
    height, width = height * factor, width * factor

    font = _font(min(max(height // 5, 12), 24))
    line = sum(font.getmetrics())  # ascent + descent
    # A column is as wide as its widest label, so that labels never run into each other.
    column_width = max(width, _widest(column_labels, font))
    row_height = max(height, line) if row_labels else height
    left = GAP + (_widest(row_labels, font) + LABEL_GAP if row_labels else 0)
    top = GAP + (line + LABEL_GAP // 2 if column_labels else 0)
    x = [left + column * (column_width + GAP) for column in range(columns)]
    y = [top + row * (row_height + GAP) for row in range(rows)]

    size = (x[-1] + column_width + GAP, y[-1] + row_height + GAP)
    grid = Image.new("RGB", size, "white")
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        corner = (x[column] + (column_width - width) // 2, y[row] + (row_height - height) // 2)
        grid.paste(Image.fromarray(np.ascontiguousarray(cell)), corner)
    draw = ImageDraw.Draw(grid)
    for start, label in zip(y, row_labels or (), strict=False):
        draw.text((GAP, start + row_height / 2), label, INK, font, anchor="lm")
    for start, label in zip(x, column_labels or (), strict=False):
        draw.text((start + column_width / 2, GAP), label, INK, font, anchor="ma")
    return grid


def save_png(image: Image.Image, path: Path) -> None:
    """Write `image` as PNG; an older file of that name is replaced only by a whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: image.save(file, format="PNG"))


def check_place(out: Path, count: int, side: int) -> Path:
    """`out`, where `save_images` can write `count` images of `side` pixels; refuses other places.

    Raises `ConfigError` as `save_images` does, but for a folder that holds files.
    """
    if out.suffix.lower() == ".png":
        refuse_large_picture(math.ceil(math.sqrt(count)), math.ceil(math.sqrt(count)), side)
        return out
    if out.suffix.lower() in (".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"):
        raise ConfigError(
            f"{out} cannot be written: pictures are .png files. Name a .png or a folder."
        )
    if out.is_file():
        raise ConfigError(f"{out} is a file; give a name that ends in .png, or a new folder.")
    return out


def refuse_large_picture(columns: int, rows: int, side: int) -> None:
    """Refuse (`ConfigError`) a grid that few programs could open."""
    cell = max(side, LARGEST_CELL // side * side)
    if columns * rows * cell**2 > LARGEST_PICTURE:
        raise ConfigError(
            f"A picture of {columns:,} x {rows:,} images would have {columns * cell:,} x "
            f"{rows * cell:,} pixels, more than {LARGEST_PICTURE // 10**6} million. Give a smaller "
            "--count, or a folder where one can be written."
        )


def save_images(images: Tensor, out: StrPath) -> Path:
    """Write uint8 images (N, 3, H, W) as one square grid, or as one file an image; gives `out`.

    Args:
        images: what to write.
        out: a .png file for the grid; anything else is a folder, which gets 000000.png and so on.

    Raises:
        ShapeError: `images` is not uint8 (N, 3, H, W).
        ConfigError: `out` is a file of another kind, or a folder that is not empty.
    """
    out = Path(out)
    _check_images(images)
    if out.suffix.lower() == ".png":
        save_png(image_grid(images, math.ceil(math.sqrt(len(images)))), out)
        return out
    check_place(out, len(images), images.shape[-1])
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(
            f"{out} already holds files, among which the new images would be lost; "
            "give a new folder."
        )
    save_files(images, out)
    return out


def save_files(images: Tensor, out: Path, first: int = 0) -> None:
    """Write uint8 images (N, 3, H, W) as one file each, numbered from `first`."""
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy(force=True), first):
        save_png(Image.fromarray(np.ascontiguousarray(image)), out / f"{index:06d}.png")


def _font(size: int) -> ImageFont.FreeTypeFont:
    if find_spec("matplotlib") is None:  # as in the core; the wheels of Pillow have a font
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    import matplotlib  # half a second, and most pictures have no labels

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def _widest(labels: Sequence[str] | None, font: ImageFont.FreeTypeFont) -> int:
    return max((math.ceil(font.getlength(label)) for label in labels or ()), default=0)


def _check_images(images: Tensor) -> None:
    if str(images.dtype) != "torch.uint8":
        raise ShapeError(
            f"A grid needs uint8 images, not {images.dtype}; convert them with to_uint8."
        )
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ShapeError(
            f"A grid needs images of shape (N, 3, H, W), none of them 0, "
            f"not {tuple(images.shape)}; repeat a single channel three times."
        )


def _check_layout(
    count: int,
    columns: int,
    scale: int | None,
    row_labels: Sequence[str] | None,
    column_labels: Sequence[str] | None,
) -> int:
    """The number of rows."""
    if columns < 1:
        raise ConfigError(f"columns is {columns}; a grid needs at least 1.")
    if scale is not None and scale < 1:
        raise ConfigError(f"scale is {scale}; give a whole number from 1, or None to choose.")
    rows = math.ceil(count / columns)
    if row_labels is not None and len(row_labels) != rows:
        raise ConfigError(f"{len(row_labels)} row labels for {rows} rows; give one a row.")
    if column_labels is not None and len(column_labels) != columns:
        raise ConfigError(
            f"{len(column_labels)} column labels for {columns} columns; give one a column."
        )
    return rows
