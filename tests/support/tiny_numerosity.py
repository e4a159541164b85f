"""A numerosity run small enough to train within a test, and dots for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from nda.data.dots import write_dots_archive
from nda.recipes.numerosity import train as numerosity
from nda.recipes.numerosity.config import NumerosityConfig
from nda.recipes.numerosity.train import NumerosityState
from nda.training.launch import launch

SIDE = 24
IMAGES = {1: 20, 2: 30, 3: 20}  # by their number of dots


def write_dots(path: Path, images: dict[int, int] | None = None, seed: int = 0) -> Path:
    rng = torch.Generator().manual_seed(seed)
    write_dots_archive(path, images or IMAGES, SIDE, generator=rng)
    return path


def tiny_numerosity(data: Path, out: Path | str = "unused", **changes: Any) -> NumerosityConfig:
    """Two dots are right; a small network, batches of 8, two updates of the critic a step."""
    config = NumerosityConfig(
        data=str(data),
        out=str(out),
        resolution=SIDE,
        right_count=2,
        network="dcgan",
        width=2,
        latent_dim=4,
        batch_size=8,
        d_steps=2,
        steps=4,
        log_every=2,
        sample_every=2,
        checkpoint_every=2,
        evaluation_samples=20,
        ema_start=1,
        device="cpu",
    )
    return dataclasses.replace(config, **changes)


def build(config: NumerosityConfig) -> NumerosityState:
    config.check()
    return numerosity.build(config, launch(config))
