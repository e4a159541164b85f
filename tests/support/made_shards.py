"""Folders of images no two of which look alike, and shards of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.data.reading import on_demand
from nda.data.shards import survey
from nda.data.shards.write import write_shards


def write_folder(folder: Path, *, train: int = 40, test: int = 8, side: int = 16) -> Path:
    """So many images of each split, by turns of classes 1 and 2."""
    for split, count in (("train", train), ("test", test)):
        for index in range(count):
            path = folder / split / str(1 + index % 2) / f"{index:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            draws = np.random.default_rng([len(split), index])
            small = draws.integers(0, 256, (4, 4, 3)).astype(np.uint8)
            Image.fromarray(small).resize((side, side)).save(path)
    return folder


def write_set(folder: Path, most_bytes: int = 40_000, **images: int) -> Path:
    """Shards of such a folder, several of the training images; the images lie beside them."""
    write_folder(folder / "images", **images)
    write_shards(folder / "images", folder / "shards", most_bytes=most_bytes)
    return folder / "shards"


def decode_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set of shards counts as too large to be held."""
    for module in (on_demand, survey):
        monkeypatch.setattr(module, "LARGE", 1)
