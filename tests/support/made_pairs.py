"""Small pairs for tests: a photograph of coloured halves and the label image that fits it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from nda.data.pairs.load import Pairs, PairSource, PairSplits, load_pairs
from nda.data.pairs.palette import load_palette

SIDE = 16  # pixels to which they are loaded
PALETTE = "0 sky 128 128 128\n1 road 128 64 128\n2 tree 128 128 0\n3 void 0 0 0\n"
COLOURS = np.array([[128, 128, 128], [128, 64, 128], [128, 128, 0], [0, 0, 0]], np.uint8)


def made_pair(
    index: int, height: int = 20, width: int = 30
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photograph (H, W, 3) and its classes (H, W): sky above, road below, some trees, a void."""
    draws = np.random.default_rng(index)
    horizon, left = int(draws.integers(6, 14)), int(draws.integers(2, 20))
    classes = np.zeros((height, width), np.uint8)
    classes[horizon:] = 1
    classes[horizon - 4 : horizon, left : left + 8] = 2
    classes[-2:] = 3
    photo = 255 - COLOURS[classes] // 2 + draws.integers(0, 20, (height, width, 3))
    return photo.clip(0, 255).astype(np.uint8), classes


def write_pairs(
    folder: Path, counts: dict[str, int], *, colours: bool = False, trees: bool = True
) -> Path:
    """`<split>/images` and `<split>/labels`, the labels as numbers or in `colours`."""
    for number, (split, count) in enumerate(counts.items()):
        for index in range(count):
            photo, classes = made_pair(100 * number + index)
            place = folder / split if trees else folder
            for tree in ("images", "labels"):
                (place / tree).mkdir(parents=True, exist_ok=True)
            name = f"{split}{index:03d}"
            Image.fromarray(photo).save(place / "images" / f"{name}.png")
            label = Image.fromarray(COLOURS[classes] if colours else classes)
            label.save(place / "labels" / f"{name}.png")
    return folder


def write_palette(folder: Path) -> Path:
    path = folder / "palette.txt"
    path.write_text(PALETTE)
    return path


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def pair_source(folder: Path) -> PairSource:
    """Six pairs to train on and three held out, with labels as numbers."""
    data = write_pairs(folder / "data", {"train": 6, "test": 3})
    return PairSource(str(data), palette=load_palette(str(write_palette(folder))))


def loaded(source: PairSource, *, holdout: float = 0.1, skip_broken: bool = False) -> PairSplits:
    return load_pairs(source, resolution=SIDE, holdout=holdout, skip_broken=skip_broken)


def same_pairs(one: Pairs, other: Pairs) -> bool:
    return one.fingerprint == other.fingerprint and torch.equal(one.photos, other.photos)
