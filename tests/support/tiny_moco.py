"""A moco run small enough to train within a test."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from nda.recipes.moco.config import MocoConfig


def tiny_moco(data: Path, out: Path | str = "unused", **changes: Any) -> MocoConfig:
    """Width 8, batches of 8 in 2 parts, a queue of 16, 4 steps."""
    config = MocoConfig(
        data=str(data),
        out=str(out),
        resolution=16,
        width=8,
        dim=12,
        batch_size=8,
        bn_splits=2,
        queue_size=16,
        key_momentum=0.9,
        lr=0.1,
        steps=4,
        log_every=1,
        checkpoint_every=2,
        device="cpu",
    )
    return dataclasses.replace(config, **changes)
