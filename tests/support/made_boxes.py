"""Data in Pascal VOC's layout, made by the test: bright discs and dark bars on noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Made = tuple[str, tuple[float, float, float, float], bool]  # name, box as VOC has it, difficult
HEAD = "<annotation><size><width>{}</width><height>{}</height><depth>3</depth></size>"


def write_voc(folder: Path, *, train: int = 12, test: int = 6, labels: str | None = None) -> Path:
    """Images of some 40 x 56 pixels, each with a disc, every second with a bar as well."""
    for split, count in (("train", train), ("val", test)):
        names = [f"{split}{index:02d}" for index in range(count)]
        for index, name in enumerate(names):
            write_image(folder, name, index + (100 if split == "val" else 0))
        write_list(folder, split, names)
    if labels is not None:
        (folder / "labels.txt").write_text(labels)
    return folder


def write_image(folder: Path, name: str, seed: int) -> None:
    """An image with its annotation."""
    draws = np.random.default_rng(seed)
    height, width = 40, 50 + 2 * (seed % 4)
    pixels = draws.integers(90, 140, (height, width, 3))
    left, top = (int(x) for x in draws.integers(2, 14, 2))
    pixels[top : top + 20, left : left + 20] = (250, 240, 60)
    found: list[Made] = [("disc", (left + 1, top + 1, left + 20, top + 20), False)]
    if seed % 2:
        pixels[4:36, width - 12 : width - 4] = (20, 20, 60)
        found.append(("bar", (width - 11, 5, width - 4, 36), seed % 3 == 0))
    place = folder / "JPEGImages" / f"{name}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(place)
    write_xml(folder, name, (width, height), found)


def write_xml(folder: Path, name: str, size: tuple[int, int], found: Sequence[Made]) -> None:
    """The annotation of an image."""
    objects = "".join(
        f"<object><name>{label}</name><difficult>{int(difficult)}</difficult><bndbox>"
        f"<xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax>"
        "</bndbox></object>"
        for label, box, difficult in found
    )
    place = folder / "Annotations" / f"{name}.xml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(HEAD.format(*size) + objects + "</annotation>")


def write_list(folder: Path, split: str, names: Sequence[str]) -> None:
    """The list of a split."""
    place = folder / "ImageSets" / "Main" / f"{split}.txt"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(f"{name}\n" for name in names))
