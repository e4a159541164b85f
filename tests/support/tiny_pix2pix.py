"""A pix2pix run small enough to train within a test, and pairs for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nda.recipes.pix2pix import train as pix2pix
from nda.recipes.pix2pix.config import Pix2PixConfig
from nda.recipes.pix2pix.train import Pix2PixState
from nda.training.launch import launch

CLASSES = {"sky": (128, 128, 128), "road": (128, 64, 128), "tree": (128, 128, 0), "void": (0, 0, 0)}


def write_street(folder: Path, *, train: int = 8, test: int = 4) -> Path:
    """Photographs and class numbers in `<split>/images` and `<split>/labels`, and a palette."""
    colours = np.array(list(CLASSES.values()), np.uint8)
    for number, (split, count) in enumerate((("train", train), ("test", test))):
        for tree in ("images", "labels"):
            (folder / split / tree).mkdir(parents=True)
        for index in range(count):
            draws = np.random.default_rng([number, index])
            classes = np.zeros((40, 60), np.uint8)
            horizon, left = draws.integers(15, 30), draws.integers(0, 40)
            classes[horizon:] = 1
            classes[horizon - 8 : horizon, left : left + 12] = 2
            classes[-3:] = 3
            photo = 255 - colours[classes] // 2 + draws.integers(0, 20, (40, 60, 3))
            for tree, pixels in (
                ("images", photo.clip(0, 255).astype(np.uint8)),
                ("labels", classes),
            ):
                Image.fromarray(pixels).save(folder / split / tree / f"{index:03d}.png")
    rows = [
        f"{index} {name} {r} {g} {b}" for index, (name, (r, g, b)) in enumerate(CLASSES.items())
    ]
    (folder / "palette.txt").write_text("\n".join(rows))
    return folder


def tiny_pix2pix(data: Path, out: Path | str = "unused", **changes: Any) -> Pix2PixConfig:
    """Width 4, 64 pixels, batches of 2, 4 steps."""
    config = Pix2PixConfig(
        data=str(data),
        out=str(out),
        palette=str(data / "palette.txt"),
        resolution=64,
        width=4,
        norm="instance",
        batch_size=2,
        steps=4,
        log_every=1,
        checkpoint_every=2,
        sample_every=2,
        device="cpu",
    )
    return dataclasses.replace(config, **changes)


def build(config: Pix2PixConfig) -> Pix2PixState:
    config.check()
    return pix2pix.build(config, launch(config))
