"""A GAN small enough to train within a test."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nda.recipes.gan import train as gan
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.train import GanState
from nda.runtime.seeding import generator_for
from nda.training.launch import launch


def tiny(data: Path, out: Path | str = "unused", **changes: Any) -> GanConfig:
    """Width 4, batches of 8, two updates of the discriminator in each of two steps."""
    config = GanConfig(
        data=str(data),
        out=str(out),
        width=4,
        latent_dim=8,
        batch_size=8,
        d_steps=2,
        steps=2,
        log_every=1,
        evaluation_samples=12,
        ema_decay=0.5,
        ema_start=1,
        device="cpu",
    )
    return dataclasses.replace(config, **changes)


def build(config: GanConfig) -> GanState:
    config.check()
    return gan.build(config, launch(config))


def take_step(state: GanState) -> dict[str, Tensor]:
    """One step as the engine takes it."""
    torch.manual_seed(state.step)
    rng = generator_for(state.config.seed, step=state.step, purpose="train")
    logs = gan.step(state, state.batch(state.step), rng)
    state.step += 1
    return logs


def weights(network: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def changed(before: list[Tensor], network: torch.nn.Module) -> list[bool]:
    """Of each parameter, whether it differs from what it was."""
    return [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
