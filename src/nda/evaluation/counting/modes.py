"""How many of the 1,000 modes of stacked digits are covered, and how evenly.

Red, green and blue of an image are read as a digit each (`nda.data.digits`). The reader has no
training that could fail: least squares with a Gaussian kernel, solved at once, on the digits that
the run's own training images are stacked of; digits held out say how often it is right.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.image_set import ImageSet, check_images
from nda.errors import DataError, ShapeError
from nda.evaluation.record import WARNING, Metric, Protocol

MODES = 1000
TABLE = "Modes of stacked digits"
GOOD_ENOUGH = 0.98  # share of held-out digits that must be read right

_MOST = 1200  # different digits learned from, each also moved by a pixel four ways
_WIDTH = 1.0  # of the kernel, in mean squared distances of digits
_RIDGE = 1e-2
_READ = 4096  # digits read at once


def refuse_no_modes(images: ImageSet) -> None:
    """Refuse images that are not sorted into modes of three figures, such as 042 (`DataError`)."""
    strange = [name for name in images.classes if not re.fullmatch("[0-9]{3}", name)]
    if strange or not images.classes:
        raise DataError(
            "Modes are counted of stacked digits, in folders named 000 to 999, and there "
            f"{f'is a folder {strange[0]!r}' if strange else 'are none'}; make such images with "
            "'nda data digits', or leave --count_modes out."
        )


@dataclass(frozen=True)
class DigitReader:
    """Reads the digits of stacks; `accuracy` is its share of `heldout` digits read right."""

    support: Tensor  # digits in [0, 1], float32 (M, R²)
    weights: Tensor  # float32 (M, 10)
    scale: float  # of the squared distances
    accuracy: float = math.nan
    heldout: int = 0

    def modes(self, images: Tensor) -> Tensor:
        """The mode of each image uint8 (N, 3, R, R): int64 (N,), 0 to 999."""
        check_images(images, "Images whose digits are read")
        digits = self.digits(images.flatten(0, 1)).view(-1, 3)
        return digits @ torch.tensor([100, 10, 1])

    def digits(self, digits: Tensor) -> Tensor:
        """Which digit each of uint8 (N, R, R) is: int64 (N,)."""
        if digits.shape[1:].numel() != self.support.shape[1]:
            raise ShapeError(
                f"Digits of {self.support.shape[1]} pixels were learned, and these have shape "
                f"{tuple(digits.shape[1:])}; give images of one size."
            )
        parts = [
            (_kernel(_flat(part), self.support, self.scale) @ self.weights).argmax(dim=1)
            for part in digits.split(_READ)
        ]
        return torch.cat([torch.empty(0, dtype=torch.int64), *parts])


def fit_digit_reader(train: ImageSet, heldout: ImageSet) -> DigitReader:
    """A reader of the digits that `train` is stacked of, measured on those of `heldout`.

    Both are sorted into folders 000 to 999 (`DataError`). The same images give the same reader.
    """
    for images in (train, heldout):
        refuse_no_modes(images)
    digits, labels = _different_digits(train)
    some = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))[:_MOST]
    known, support = _flat(digits[some]), _flat(_moved(digits[some]))
    scale = _WIDTH * float(torch.cdist(known, known).square().mean()) or 1.0
    kernel = _kernel(support.double(), support.double(), scale)
    kernel.diagonal().add_(_RIDGE)
    truth = F.one_hot(labels[some].repeat(len(support) // len(known)), 10).double()
    weights = torch.cholesky_solve(truth, torch.linalg.cholesky(kernel))
    reader = DigitReader(support, weights.float(), scale)
    asked, right = _different_digits(heldout)
    accuracy = float((reader.digits(asked) == right).double().mean())
    return DigitReader(support, reader.weights, scale, accuracy, len(asked))


def mode_metrics(sets: dict[str, Tensor], reader: DigitReader, protocol: Protocol) -> list[Metric]:
    """Modes covered, and the divergence from all alike, of images uint8 (N, 3, R, R) by name.

    The divergence is KL(images | uniform) in nats (called the reverse one), 0 at best and log 1000
    where there is one mode. Of N images drawn from all modes alike it is about 999 / 2N.
    """
    protocol = {
        **protocol,
        "reader": "least squares with a Gaussian kernel on the digits trained on",
        "reader_accuracy": round(reader.accuracy, 4),
        "reader_measured_on": f"{reader.heldout} held-out digits",
    }
    if reader.accuracy < GOOD_ENOUGH:
        protocol[WARNING] = (
            f"the reader is right on {reader.accuracy:.1%} of held-out digits only, below "
            f"{GOOD_ENOUGH:.0%}, so modes are uncertain by as much"
        )
    metrics = []
    for name, images in sets.items():
        counts = torch.bincount(reader.modes(images), minlength=MODES).double()
        shares = counts / counts.sum()
        place: dict[str, Any] = {
            "protocol": {**protocol, "images": len(images)},
            "table": TABLE,
            "row": name,
        }
        metrics += [
            Metric(
                f"{name}_modes",
                f"Modes of {MODES:,} covered by {name} images",
                int((counts > 0).sum()),
                "higher",
                column=f"covered of {MODES:,}",
                kind={"figure": "modes", "set": name},
                **place,
            ),
            Metric(
                f"{name}_mode_divergence",
                f"Divergence of the modes of {name} images from all alike (nats)",
                float(torch.xlogy(shares, shares * MODES).sum()),
                "lower",
                column="divergence from all alike (nats)",
                kind={"figure": "mode_divergence", "set": name},
                **place,
            ),
        ]
    return metrics


def _different_digits(images: ImageSet) -> tuple[Tensor, Tensor]:
    """The digits that images are stacked of, each once, uint8 (M, R, R), and their labels (M,)."""
    names = torch.tensor([[int(figure) for figure in name] for name in images.classes])
    labels = names[images.labels].flatten()  # (3N,)
    rows = torch.cat([images.images.flatten(0, 1).flatten(1), labels[:, None].byte()], dim=1)
    rows = torch.unique(rows, dim=0)
    return rows[:, :-1].unflatten(1, images.images.shape[2:]), rows[:, -1].long()


def _moved(digits: Tensor) -> Tensor:
    """Digits (M, R, R) as they are, then one pixel up, down, to the left and right: (5M, R, R)."""
    side = digits.shape[-1]
    padded = F.pad(digits, (1, 1, 1, 1))
    places = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    return torch.cat([padded[:, y : y + side, x : x + side] for y, x in places])


def _flat(digits: Tensor) -> Tensor:
    return digits.flatten(1).float() / 255


def _kernel(a: Tensor, b: Tensor, scale: float) -> Tensor:
    return torch.cdist(a, b).square_().div_(-scale).exp_()
