"""Stacked digits: images of a thousand known modes (after Metz et al., 2017, with small digits).

Red, green and blue are each a handwritten digit, drawn by itself, so an image shows one of 1,000
numbers of three digits. The digits are the 1,797 of 8 x 8 pixels that come with scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.archive import write_png_archive
from nda.errors import DataError
from nda.extras import require
from nda.runtime.files import StrPath

MODES = 1000
SMALLEST = 8  # pixels a side, which the digits have
HELDOUT = 3  # every third digit of a class is for held-out images alone

_CHUNK = 1024  # images stacked at once


@dataclass(frozen=True)
class Digits:
    """Digits uint8 (N, R, R), white on black, and which they are: int64 (N,), 0 to 9."""

    images: Tensor
    labels: Tensor

    def stacked(self, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` stacks uint8 (count, 3, R, R) and their modes int64 (count,), 0 to 999.

        Every one of the three is 0 to 9 with equal chance, then one of the digits of that kind.
        """
        drawn = torch.randint(10, (count, 3), generator=rng)
        which = torch.rand(count, 3, generator=rng)
        order = self.labels.argsort(stable=True)  # class after class
        sizes = self.labels.bincount(minlength=10)
        first = sizes.cumsum(0) - sizes
        rows = order[first[drawn] + (which * sizes[drawn]).long()]  # (count, 3)
        return self.images[rows], drawn @ torch.tensor([100, 10, 1])


def load_digits(size: int = 16, *, seed: int = 0) -> dict[str, Digits]:
    """scikit-learn's digits at `size` pixels, by split: two thirds for `train`, one for `test`.

    The seed parts them. They are enlarged bilinearly. Raises `DataError` for a size below 8, and
    `ConfigError` where scikit-learn is not installed.
    """
    if size < SMALLEST:
        raise DataError(f"Digits have {SMALLEST} pixels a side; give a size of at least as much.")
    sklearn = require("sklearn.datasets", "The digits are scikit-learn's", "digits")
    found = sklearn.load_digits()
    levels = torch.as_tensor(found.images, dtype=torch.float32)[:, None] * (255 / 16)
    images = F.interpolate(levels, (size, size), mode="bilinear", align_corners=False)[:, 0]
    labels = torch.as_tensor(found.target, dtype=torch.int64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = order[labels[order].argsort(stable=True)]  # class after class, each shuffled
    images, labels = images[order].round().to(torch.uint8), labels[order]
    heldout = torch.arange(len(labels)) % HELDOUT == 0
    return {
        "train": Digits(images[~heldout], labels[~heldout]),
        "test": Digits(images[heldout], labels[heldout]),
    }


def write_digits_archive(path: StrPath, count: int, size: int = 16, *, seed: int = 0) -> None:
    """Write `count` stacks a split as PNG images `<split>/<mode>/<number>.png`.

    Training and test images are made of different digits, and the modes are three figures, such as
    042. All follows from the seed. The file is there as a whole or not at all.
    """
    digits = load_digits(size, seed=seed)
    rng = torch.Generator().manual_seed(seed)
    write_png_archive(path, _stacks(digits, count, rng), count * len(digits))


def _stacks(
    digits: dict[str, Digits], count: int, rng: torch.Generator
) -> Iterator[tuple[str, Tensor]]:
    """Name and pixels (R, R, 3) of each image."""
    for split, some in digits.items():
        for first in range(0, count, _CHUNK):
            images, modes = some.stacked(min(_CHUNK, count - first), rng)
            pairs = zip(images.permute(0, 2, 3, 1), modes.tolist(), strict=True)
            for number, (pixels, mode) in enumerate(pairs, first):
                yield f"{split}/{mode:03d}/{number:06d}.png", pixels
