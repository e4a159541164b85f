"""An anomaly run small enough to train within a test, and data for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nda.recipes.anomaly.config import AnomalyConfig

SIDE = 32


def write_surfaces(folder: Path, *, normal: int = 60, test: int = 8) -> Path:
    """Striped surfaces in MVTec's layout: train/good, test/good, test/hole with masks."""
    for kind, count in (("train/good", normal), ("test/good", test), ("test/hole", test)):
        (folder / kind).mkdir(parents=True)
        for index in range(count):
            pixels, mask = surface(kind, index)
            Image.fromarray(pixels).save(folder / kind / f"{index:03d}.png")
            if kind == "test/hole":
                place = folder / "ground_truth" / "hole"
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(place / f"{index:03d}_mask.png")
    return folder


def surface(kind: str, index: int) -> tuple[Any, Any]:
    """A grey image (SIDE, SIDE) of its own brightness, and the mask of its hole if it has one."""
    draws = np.random.default_rng([len(kind), index])
    columns = 20 * np.sin(np.arange(SIDE) + draws.uniform(0, 6)) + draws.uniform(90, 160)
    pixels = columns[None] + draws.normal(0, 3, (SIDE, SIDE))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    if kind.endswith("hole"):
        top, left = draws.integers(4, SIDE - 10, 2)
        mask[top : top + 7, left : left + 7] = 255
        pixels[mask > 0] = draws.normal(20, 8, int((mask > 0).sum()))
    return pixels.clip(0, 255).astype(np.uint8), mask


def tiny_anomaly(data: Path, out: Path | str = "unused", **changes: Any) -> AnomalyConfig:
    """Width 8, batches of 8, a third of the images held out, 4 steps."""
    config = AnomalyConfig(
        data=str(data),
        out=str(out),
        resolution=SIDE,
        width=8,
        batch_size=8,
        holdout=1 / 3,
        false_alarm_rate=0.1,
        steps=4,
        log_every=1,
        checkpoint_every=2,
        device="cpu",
    )
    return dataclasses.replace(config, **changes)
