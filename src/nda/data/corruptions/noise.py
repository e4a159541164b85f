"""Gaussian, shot, impulse and speckle noise, independent for every channel of every pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.data.corruptions.levels import normal, to_levels, to_unit, uniform

GAUSSIAN_NOISE = (0.04, 0.06, 0.08, 0.09, 0.10)  # standard deviation, of the range [0, 1]
SHOT_NOISE = (500.0, 250.0, 100.0, 75.0, 50.0)  # photons that make full white
IMPULSE_NOISE = (0.01, 0.02, 0.03, 0.05, 0.07)  # share of values lost
SPECKLE_NOISE = (0.06, 0.1, 0.12, 0.16, 0.2)  # standard deviation, of the value itself


def gaussian_noise(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Adds c n, with n standard normal: x becomes x + c n."""
    noise = normal(tuple(images.shape), rng)
    return to_levels(noise.mul_(GAUSSIAN_NOISE[severity - 1]).add_(to_unit(images)))


def shot_noise(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Counts photons: x becomes Poisson(c x) / c, so that the variance of a value x is x / c."""
    photons = SHOT_NOISE[severity - 1]
    rates = to_unit(images).mul_(photons).float().to(rng.device)
    counts = torch.poisson(rates, generator=rng).cpu().double()
    return to_levels(counts.div_(photons))


def impulse_noise(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """A share c of the values becomes 0 or 255, either with equal chance."""
    share = IMPULSE_NOISE[severity - 1]
    draw = uniform(0, 1, tuple(images.shape), rng)
    return images.masked_fill(draw < share, 255).masked_fill_(draw < share / 2, 0)


def speckle_noise(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Noise in proportion to the value: x becomes x + x c n, with n standard normal."""
    noise = normal(tuple(images.shape), rng)
    return to_levels(noise.mul_(SPECKLE_NOISE[severity - 1]).add_(1).mul_(to_unit(images)))
