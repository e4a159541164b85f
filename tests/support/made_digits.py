"""Ten glyphs that stand for digits, with a little noise: scikit-learn's need not be there."""

from __future__ import annotations

import torch

from nda.data import ImageSet
from nda.data.digits import Digits

SIDE = 8


def glyphs() -> torch.Tensor:
    """Ten shapes uint8 (10, 8, 8), no two of them one pixel's move apart."""
    rng = torch.Generator().manual_seed(0)
    return (torch.rand(10, SIDE, SIDE, generator=rng) < 0.4).to(torch.uint8) * 220


def made_digits(each: int = 6, seed: int = 0) -> Digits:
    """So many of each digit, no two alike, in a random order."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(10).repeat_interleave(each)[torch.randperm(10 * each, generator=rng)]
    noise = torch.randint(0, 30, (10 * each, SIDE, SIDE), generator=rng).to(torch.uint8)
    return Digits(glyphs()[labels] + noise, labels)


def stacks(count: int, seed: int = 0) -> ImageSet:
    """Stacks of them, sorted into modes as `nda data digits` sorts its own."""
    rng = torch.Generator().manual_seed(100 + seed)
    images, modes = made_digits(seed=seed).stacked(count, rng)
    found, labels = modes.unique(return_inverse=True)
    return ImageSet.of(images, labels, [f"{mode:03d}" for mode in found.tolist()])
