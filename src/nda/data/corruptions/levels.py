"""From grey levels 0..255 to [0, 1] and back as the original does it, and draws on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor


def to_unit(images: Tensor) -> Tensor:
    """uint8 images as float64 in [0, 1]; `to_levels` undoes it exactly."""
    return images.double().div_(255)


def to_levels(x: Tensor) -> Tensor:
    """Values of [0, 1], clipped to it, as uint8 levels.

    Cut off, not rounded, as in CIFAR-10-C: corrupted images are half a level darker on average.
    """
    return x.clamp(0, 1).mul_(255).to(torch.uint8)


def normal(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Standard normal draws, float64."""
    return torch.randn(shape, generator=rng, device=rng.device).cpu().double()


def uniform(low: float, high: float, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Uniform draws of [low, high), float64."""
    draws = torch.rand(shape, generator=rng, device=rng.device, dtype=torch.float64).cpu()
    return draws.mul_(high - low).add_(low)
