"""Videos of a bright square that moves one way or the other, and settings of tiny runs on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nda.recipes.action.config import ActionConfig
from nda.recipes.dpc.config import DpcConfig

TINY: dict[str, Any] = {
    "resolution": 64,
    "blocks": 4,
    "frames": 2,
    "stride": 1,
    "batch_size": 4,
    "steps": 4,
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 4,
    "device": "cpu",
}


def write_videos(folder: Path, *, train: int = 4, test: int = 3) -> Path:
    """Folders of frames: `{train,test}/{left,right}/g<n>`, the last of each 5 frames short."""
    for split, count in (("train", train), ("test", test)):
        for label, direction in (("left", -1), ("right", 1)):
            for index in range(count):
                frames = 5 if index == count - 1 else 12
                write_video(folder / split / label / f"g{index}", frames, direction, index)
    return folder


def write_video(folder: Path, frames: int, direction: int, seed: int) -> None:
    draws = np.random.default_rng([seed, direction + 1, frames])
    ground = draws.integers(0, 120, (64, 64, 3))
    top, left = draws.integers(0, 48, 2)
    folder.mkdir(parents=True)
    for number in range(frames):
        pixels = ground.copy()
        columns = (left + 4 * direction * number + np.arange(16)) % 64
        pixels[top : top + 16, columns] += 120
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number + 1:04d}.png")


def tiny_dpc(data: Path, out: Path = Path("unused"), **changes: Any) -> DpcConfig:
    settings = TINY | {"width": 8, "predict": 2, "data": str(data), "out": str(out)} | changes
    return DpcConfig(**settings)


def tiny_action(data: Path, out: Path = Path("unused"), **changes: Any) -> ActionConfig:
    settings = TINY | {"data": str(data), "out": str(out), "holdout": 0.25} | changes
    if settings.get("encoder", "none") == "none":
        settings = {"width": 8} | settings
    return ActionConfig(**settings)
