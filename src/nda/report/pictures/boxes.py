"""Pictures of images with the boxes that are there and those that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nda.evaluation.boxes.metrics import Found, Truth
from nda.report.pictures.grid import GAP, INK
from nda.report.plots.svg import PALETTE

CELL = 300  # pixels of an image's longer side
FOUND, TRUE = PALETTE[5], PALETTE[4]  # orange and light blue: told apart by every colour vision
_LINE, _TEXT = 3, 15  # pixels: width of a box's line, size of the letters


@dataclass(frozen=True)
class BoxedPicture:
    """An image uint8 `(3, H, W)`, what is in it and what was found."""

    image: Tensor
    truth: Truth
    found: Found


def draw_boxes(
    pictures: Sequence[BoxedPicture], classes: Sequence[str], *, columns: int = 4
) -> Image.Image:
    """The pictures in a grid, with a line above that says which colour means what.

    Every box that is in `found` is drawn, with class and score: choose before.
    """
    font = ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size=_TEXT
    )
    cells = [_cell(picture, classes, font) for picture in pictures]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    top = 2 * GAP + _TEXT + GAP
    size = (
        GAP + min(columns, len(cells)) * (CELL + GAP),
        top + sum(height + GAP for height in heights),
    )
    sheet = Image.new("RGB", size, "white")
    _legend(sheet, font)
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            left = GAP + column * (CELL + GAP) + (CELL - cell.width) // 2
            sheet.paste(cell, (left, top))
        top += height + GAP
    return sheet


def _cell(
    picture: BoxedPicture, classes: Sequence[str], font: ImageFont.FreeTypeFont
) -> Image.Image:
    image = Image.fromarray(picture.image.permute(1, 2, 0).contiguous().numpy(force=True))
    scale = CELL / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for box, label in zip(picture.truth.boxes.tolist(), picture.truth.labels.tolist(), strict=True):
        _outline(draw, [x * scale for x in box], TRUE)
        corner = (box[0] * scale, box[3] * scale)
        _caption(draw, classes[label], corner, size, TRUE, font, below=True)
    # The surest last, so that it is not covered.
    order = picture.found.scores.argsort().tolist()
    for index in order:
        box = picture.found.boxes[index].tolist()
        _outline(draw, [x * scale for x in box], FOUND)
        text = f"{classes[int(picture.found.labels[index])]} {picture.found.scores[index]:.2f}"
        _caption(draw, text, (box[0] * scale, box[1] * scale), size, FOUND, font, below=False)
    return image


def _outline(draw: ImageDraw.ImageDraw, box: Sequence[float], colour: str) -> None:
    left, top, right, bottom = box
    # A detector may give a box less than a pixel wide, which Pillow refuses to draw.
    corners = (left, top, max(right - 1, left), max(bottom - 1, top))
    draw.rectangle(corners, outline=colour, width=_LINE)


def _caption(
    draw: ImageDraw.ImageDraw,
    text: str,
    corner: tuple[float, float],
    size: tuple[int, int],
    colour: str,
    font: ImageFont.FreeTypeFont,
    *,
    below: bool,
) -> None:
    """Dark letters on the box's colour, inside the box and the image."""
    width, height = font.getlength(text) + 4, _TEXT + 3
    left = max(0, min(corner[0], size[0] - width))
    top = max(0, min(corner[1] - (height if below else 0), size[1] - height))
    draw.rectangle((left, top, left + width, top + height), fill=colour)
    draw.text((left + 2, top), text, "black", font)


def _legend(sheet: Image.Image, font: ImageFont.FreeTypeFont) -> None:
    draw, left = ImageDraw.Draw(sheet), float(GAP)
    for colour, words in ((TRUE, "what is there"), (FOUND, "what was found, with its score")):
        draw.rectangle((left, GAP, left + _TEXT, GAP + _TEXT), fill=colour)
        draw.text((left + _TEXT + GAP, GAP), words, INK, font)
        left += _TEXT + 4 * GAP + font.getlength(words)
