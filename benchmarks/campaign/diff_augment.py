"""Differentiable augmentation of what a discriminator is shown (Zhao et al., NeurIPS 2020).

Real and generated images alike go through colour, translation and cutout, in its update and in the
generator's, whose gradient passes through them. So a discriminator of few images cannot learn them
by heart, and no change of theirs is what the generator is asked for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

MOVED = 1 / 8  # of the side, at most
CUT = 1 / 2  # of the side


class Augmented(nn.Module):
    """A discriminator that sees images `(B, 3, R, R)` in [-1, 1] augmented, each in its own way."""

    def __init__(self, discriminator: nn.Module, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator

    def forward(self, images: Tensor, labels: Tensor | None = None, **asked: bool) -> Any:
        return self.discriminator(diff_augment(images, self.generator), labels, **asked)


def diff_augment(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Colour, then translation, then cutout, with the ranges of the paper's code."""
    return cut_out(translated(coloured(images, generator), generator), generator)


def coloured(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Brighter by -0.5 to 0.5, of 0 to 2 times the saturation, of 0.5 to 1.5 times the contrast."""
    brightness, saturation, contrast = torch.rand(
        (3, len(images), 1, 1, 1), generator=generator, device=images.device
    )
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (images - middle) * (contrast + 0.5)


def translated(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Moved down and across by up to an eighth of the side; what comes in is 0."""
    for dim in (2, 3):
        size = images.shape[dim]
        most = round(size * MOVED)
        move = torch.randint(
            -most, most + 1, (len(images), 1), generator=generator, device=images.device
        )
        source = torch.arange(size, device=images.device) - move  # (B, size)
        shape = [len(images), 1, 1, 1]
        shape[dim] = size
        there = ((source >= 0) & (source < size)).view(shape)
        index = source.clamp(0, size - 1).view(shape).expand_as(images)
        images = images.gather(dim, index) * there
    return images


def cut_out(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A square of half the side, its centre anywhere in the image, is 0."""
    kept = []
    for size in images.shape[2:]:
        length = round(size * CUT)
        centre = torch.randint(
            size + (1 - length % 2), (len(images), 1), generator=generator, device=images.device
        )
        place = torch.arange(size, device=images.device)
        start = centre - length // 2
        kept.append((place < start) | (place >= start + length))  # (B, size)
    rows, columns = kept
    return images * (rows[:, None, :, None] | columns[:, None, None, :])
