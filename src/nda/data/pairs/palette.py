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

from nda.data.images.image_set import check_images
from nda.data.reading.unicode_names import whole_text
from nda.errors import DataError
from nda.runtime.files import StrPath

# SegNet's eleven classes of CamVid (Badrinarayanan et al., 2017) and the pixels without one.
CAMVID = (
    (0, "Sky", 128, 128, 128),
    (1, "Building", 128, 0, 0),
    (2, "Pole", 192, 192, 128),
    (3, "Road", 128, 64, 128),
    (4, "Pavement", 60, 40, 222),
    (5, "Tree", 128, 128, 0),
    (6, "SignSymbol", 192, 128, 128),
    (7, "Fence", 64, 64, 128),
    (8, "Car", 64, 0, 128),
    (9, "Pedestrian", 64, 64, 0),
    (10, "Bicyclist", 0, 128, 192),
    (11, "Unlabelled", 0, 0, 0),
)

# The nineteen classes that Cityscapes evaluates (Cordts et al., 2016), numbered as in the files
# *_gtFine_labelIds.png; everything else that is annotated there counts as unlabelled.
CITYSCAPES = (
    (7, "road", 128, 64, 128),
    (8, "sidewalk", 244, 35, 232),
    (11, "building", 70, 70, 70),
    (12, "wall", 102, 102, 156),
    (13, "fence", 190, 153, 153),
    (17, "pole", 153, 153, 153),
    (19, "traffic light", 250, 170, 30),
    (20, "traffic sign", 220, 220, 0),
    (21, "vegetation", 107, 142, 35),
    (22, "terrain", 152, 251, 152),
    (23, "sky", 70, 130, 180),
    (24, "person", 220, 20, 60),
    (25, "rider", 255, 0, 0),
    (26, "car", 0, 0, 142),
    (27, "truck", 0, 0, 70),
    (28, "bus", 0, 60, 100),
    (31, "train", 0, 80, 100),
    (32, "motorcycle", 0, 0, 230),
    (33, "bicycle", 119, 11, 32),
    (0, "unlabelled", 0, 0, 0),
    (1, "unlabelled", 0, 0, 0),  # ego vehicle
    (2, "unlabelled", 0, 0, 0),  # rectification border
    (3, "unlabelled", 0, 0, 0),  # out of region of interest
    (4, "unlabelled", 0, 0, 0),  # static
    (5, "unlabelled", 111, 74, 0),  # dynamic
    (6, "unlabelled", 81, 0, 81),  # ground
    (9, "unlabelled", 250, 170, 160),  # parking
    (10, "unlabelled", 230, 150, 140),  # rail track
    (14, "unlabelled", 180, 165, 180),  # guard rail
    (15, "unlabelled", 150, 100, 100),  # bridge
    (16, "unlabelled", 150, 120, 90),  # tunnel
    (18, "unlabelled", 0, 0, 0),  # pole group, whose colour is that of poles
    (29, "unlabelled", 0, 0, 90),  # caravan
    (30, "unlabelled", 0, 0, 110),  # trailer
    (255, "unlabelled", 0, 0, 0),  # licence plate, whose colour is that of cars
)

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
    check_images(images, "Images to look colours up in")
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
