"""Words of a command line that trains for a moment."""

from __future__ import annotations

from pathlib import Path

TINY = {
    "network": "dcgan",
    "width": "2",
    "latent_dim": "4",
    "batch_size": "8",
    "d_steps": "1",
    "steps": "4",
    "log_every": "1",
    "checkpoint_every": "2",
    "evaluation_samples": "10",
    "device": "cpu",
}


def train(data: Path, out: Path, **changes: str) -> list[str]:
    """`nda train gan` on `data`, with other options where `changes` give them."""
    settings = TINY | {"data": str(data), "out": str(out)} | changes
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return ["train", "gan", *options]
