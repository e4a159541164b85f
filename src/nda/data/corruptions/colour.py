"""Brightness, contrast and saturation. None of them draws."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.data.corruptions.levels import to_levels, to_unit

BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3)  # added to the value of HSV
CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)  # factor on the distance to the channel's mean
# factor on the saturation of HSV, and what is added to it
SATURATE = ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2))


def brightness(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """HSV's value raised by a constant and cut at 1; hue and saturation stay."""
    x = to_unit(images)
    value = x.amax(1, keepdim=True)
    raised = (value + BRIGHTNESS[severity - 1]).clamp_(max=1)
    shares = torch.where(value > 0, x / value, 1.0)  # black becomes grey
    return to_levels(raised * shares)


def saturate(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """HSV's saturation times a factor plus a constant, cut to [0, 1]; hue and value stay.

    The first two severities wash out, the others overdraw. Grey has no hue: HSV writes 0, which is
    red, so severities 4 and 5 tint grey reddish, as they do in CIFAR-10-C.
    """
    factor, added = SATURATE[severity - 1]
    x = to_unit(images)
    value = x.amax(1, keepdim=True)
    chroma = value - x.amin(1, keepdim=True)
    saturation = torch.where(value > 0, chroma / value, 0.0)
    # How far each channel lies below the value, as a share of the farthest one's way.
    red = torch.tensor([0.0, 1.0, 1.0], dtype=x.dtype).view(3, 1, 1)
    depth = torch.where(chroma > 0, (value - x) / chroma, red)
    return to_levels(value * (1 - (saturation * factor + added).clamp_(0, 1) * depth))


def contrast(images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Every channel drawn towards its own mean over the image."""
    x = to_unit(images)
    mean = x.mean(dim=(2, 3), keepdim=True)
    return to_levels((x - mean) * CONTRAST[severity - 1] + mean)
