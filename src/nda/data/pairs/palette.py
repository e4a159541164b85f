"""Palettes of label images: which number and which colour stands for which class."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nda.data.pairs.palettes_named import CAMVID, CITYSCAPES
from nda.data.reading.unicode_names import whole_text
from nda.errors import DataError, ShapeError
from nda.runtime.files import StrPath

Colour = tuple[int, int, int]
Row = tuple[int, str, int, int, int]  # number in index images, class, red, green, blue

NAMED: dict[str, Sequence[Row]] = {"camvid": CAMVID, "cityscapes": CITYSCAPES}
NOT_A_CLASS = ("unlabelled", "unlabeled", "void", "ignore", "ignored")
_FORM = "a line a class of the form 'index name red green blue', or the same as JSON lists"


@dataclass(frozen=True)
class Palette:
    """Classes in order of their first rows; a class may have several numbers and colours.

    `colours` holds the colour that each class is painted in, `indices` and `known` map every number
    and colour in use to its class, and `unlabelled` is the class, if there is one, of pixels that
    belong to none: figures leave them out.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    indices: dict[int, int]
    known: dict[Colour, int]
    unlabelled: int | None

    def table(self) -> Tensor:
        """The colours as uint8 `(K, 3)`."""
        return torch.tensor(self.colours, dtype=torch.uint8)


def load_palette(given: StrPath) -> Palette:
    """The palette of that name (camvid, cityscapes), or in that file (text or JSON).

    Raises `DataError` for an unknown name, a file that is none, values out of range, and a number
    or colour that stands for two classes.
    """
    given = os.fspath(given)
    if given in NAMED:
        return make_palette(NAMED[given], f"the palette {given}")
    path = Path(given).expanduser()
    try:
        text = whole_text(path.read_bytes())
    except FileNotFoundError as error:
        near = difflib.get_close_matches(given, NAMED, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise DataError(
            f"There is no palette {given!r}. {hint}Give {', '.join(NAMED)} or a file with {_FORM}."
        ) from error
    except (OSError, UnicodeError) as error:
        raise DataError(f"{given} is no palette ({error}); expected {_FORM}.") from error
    rows = _json_rows(text, given) if text.lstrip().startswith("[") else _text_rows(text, given)
    return make_palette(rows, given)


def make_palette(rows: Sequence[Row], where: str) -> Palette:
    """A palette of rows; those of one name are one class, painted in the first one's colour."""
    names: list[str] = []
    colours: list[Colour] = []
    indices: dict[int, int] = {}
    known: dict[Colour, int] = {}
    for index, name, *rgb in rows:
        colour = (rgb[0], rgb[1], rgb[2])
        if not all(0 <= value <= 255 for value in (index, *colour)):
            raise DataError(f"{where}: {name} has a number outside 0..255; give 8-bit values.")
        if name not in names:
            names.append(name)
            colours.append(colour)
        label = names.index(name)
        for what, taken in (
            ("colour " + " ".join(map(str, colour)), known.setdefault(colour, label)),
            (f"index {index}", indices.setdefault(index, label)),
        ):
            if taken != label:
                raise DataError(
                    f"{where}: {names[taken]} and {name} share the {what}, so they cannot be told "
                    "apart; give each class its own."
                )
    if len(names) < 2:
        raise DataError(f"{where} has {len(names)} classes; a palette needs 2 or more: {_FORM}.")
    ignored = [label for label, name in enumerate(names) if name.casefold() in NOT_A_CLASS]
    if len(ignored) > 1:
        raise DataError(
            f"{where}: {names[ignored[0]]} and {names[ignored[1]]} both say that a pixel has no "
            "class; give these rows one name."
        )
    return Palette(tuple(names), tuple(colours), indices, known, ignored[0] if ignored else None)


def nearest_classes(images: Tensor, palette: Palette) -> Tensor:
    """The class whose colour is nearest to each pixel: uint8 `(N, 3, H, W)` to int64 `(N, H, W)`.

    Distances are Euclidean in RGB, computed in whole numbers: a colour of the palette gives its own
    class exactly, and of two colours equally near the class that comes first.
    """
    if images.dtype != torch.uint8:
        raise ShapeError(
            f"Colours are looked up in uint8 images, values 0 to 255; got {images.dtype}. Convert "
            "with nda.data.to_uint8."
        )
    pixels = images.to(torch.int32)
    best = torch.full_like(pixels[:, 0], 2**30)
    classes = torch.zeros_like(best, dtype=torch.int64)
    for label, colour in enumerate(palette.colours):
        wanted = torch.tensor(colour, dtype=torch.int32, device=images.device).view(3, 1, 1)
        distance = (pixels - wanted).square().sum(dim=1, dtype=torch.int32)
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        classes.masked_fill_(nearer, label)
    return classes


def paint(classes: Tensor, palette: Palette) -> Tensor:
    """Classes `(N, H, W)` in the palette's colours, uint8 `(N, 3, H, W)`."""
    colours = palette.table().to(classes.device)[classes.long()]
    return colours.permute(0, 3, 1, 2).contiguous()


def _text_rows(text: str, where: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or line.lstrip().startswith("#"):
            continue
        try:
            index, *name, red, green, blue = words
            rows.append((int(index), " ".join(name), int(red), int(green), int(blue)))
            if not name:
                raise ValueError
        except ValueError as error:
            raise DataError(
                f"{where}, line {number}: {line.strip()!r} is not of the form "
                "'index name red green blue', such as '3 Road 128 64 128'."
            ) from error
    return rows


def _json_rows(text: str, where: str) -> list[Row]:
    try:
        rows: list[Row] = []
        for index, name, red, green, blue in json.loads(text):
            if not isinstance(name, str):
                raise TypeError(f"{name!r} is no name")
            rows.append((int(index), name, int(red), int(green), int(blue)))
        return rows
    except (ValueError, TypeError, OverflowError, RecursionError) as error:  # 1e999, [[[[
        raise DataError(
            f"{where} is no palette in JSON ({error}); expected a list of lists "
            '[index, "name", red, green, blue].'
        ) from error
