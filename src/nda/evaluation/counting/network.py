"""A network that counts the objects in an image, and how far it can be trusted.

Scenes of solid objects have no exact rule of counting as dots have. A small classifier is trained
on images whose counts are known; how often it is right on images held out goes beside every figure
that comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nda.data.images.image_set import ImageSet, check_images, to_float
from nda.errors import DataError, ShapeError
from nda.evaluation.small_classifier import Training, fit_one_cycle, guesses, refuse_no_budget
from nda.runtime.files import StrPath
from nda.runtime.seeding import generator_for

WHAT = "counting network"
FORMAT = "nda count network 1"  # anything that changes the training changes this number
BUDGET = 150_000  # images to learn from, seen again and again: 14 times with 5 x 2,160
BATCH = 64
_RATE = 1e-2  # highest learning rate


class CountingNet(nn.Module):
    """Convolutions to an eighth of the side, 64 features wide, their mean, and a linear head.

    The mean over places is the sum but for a factor, and a sum is what counting is.
    """

    def __init__(self, counts: int) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            *_stage(nn.Conv2d(3, 16, 5, stride=2, padding=2, bias=False)),
            *_stage(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.MaxPool2d(2)),
            *_stage(nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.MaxPool2d(2)),
            *_stage(nn.Conv2d(64, 64, 3, padding=1, bias=False)),
        )
        self.head = nn.Linear(64, counts)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, counts) of images (B, 3, H, W) in [-1, 1]."""
        x = x.contiguous(memory_format=torch.channels_last)
        return self.head(self.stages(x).mean(dim=(2, 3)))


def _stage(convolution: nn.Conv2d, *pool: nn.Module) -> tuple[nn.Module, ...]:
    # Pooled before normalisation, which then has a quarter of the work.
    width = convolution.out_channels
    return (convolution, *pool, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


@dataclass(frozen=True)
class CountNetwork:
    """A trained counter. It knows the `counts` it was trained on, and answers with one of them."""

    network: CountingNet
    counts: tuple[int, ...]
    confusion: Tensor  # int64 (K, K): held-out images by true count (row) and answer (column)

    @property
    def accuracy(self) -> float:
        """Share of the held-out images that it counts rightly."""
        return float(self.confusion.diagonal().sum() / self.confusion.sum())

    def count(self, images: Tensor) -> Tensor:
        """The number of objects in each image: uint8 (N, 3, H, W) to int64 (N,) on the CPU.

        Raises `ShapeError` for images of another type or shape.
        """
        check_images(images, "Images for the counting network")
        return torch.tensor(self.counts)[guesses(self.network, images)]


def train_count_network(
    images: Tensor,
    counts: Tensor,
    *,
    heldout_images: Tensor,
    heldout_counts: Tensor,
    device: torch.device | str = "cpu",
    cache_path: StrPath | None = None,
    seed: int = 0,
    budget: int = BUDGET,
) -> CountNetwork:
    """Train a counter on images uint8 (N, 3, H, W) and their counts (N,), whole numbers from 0.

    It learns from `budget` images, mirrored and with their colours exchanged at random, and is
    measured on the held-out ones. The result follows from data, seed and budget alone; with
    `cache_path` it is kept there, and a file of other data or a damaged one is replaced. Raises
    `DataError` where there are not two counts or nothing is held out, and `ShapeError` where shapes
    do not match.
    """
    refuse_no_budget(budget, WHAT)
    train, known = _labelled(images, counts)
    heldout, _ = _labelled(heldout_images, heldout_counts, known)
    origin = f"{FORMAT}: {train.fingerprint} {heldout.fingerprint} seed={seed} budget={budget}"
    training = Training(
        WHAT,
        "counter",
        ("confusion",),
        build=lambda: CountingNet(len(known)),
        fit=lambda network: _fit(network, train, seed, budget),
        measure=lambda network: {"confusion": _confusion(network, heldout)},
        verify=lambda network: {"confusion": _confusion(network, heldout)},
    )
    network, facts = training.result(origin, seed=seed, device=device, cache_path=cache_path)
    return CountNetwork(network, known, torch.tensor(facts["confusion"]))


def _labelled(
    images: Tensor, counts: Tensor, known: tuple[int, ...] | None = None
) -> tuple[ImageSet, tuple[int, ...]]:
    """Images with the place of their count among the known ones, which are all by default."""
    check_images(images, "Images for the counting network")
    if counts.shape != images.shape[:1]:
        raise ShapeError(
            f"A counting network learns from counts of shape ({len(images)},), one an image; got "
            f"{tuple(counts.shape)}. Pass the counts of these images."
        )
    present = torch.unique(counts.cpu()).tolist()  # sorted
    if known is None:
        known = tuple(present)
        if len(known) < 2:
            raise DataError(
                "A counting network learns to tell numbers of objects apart, and all its images "
                f"show {', '.join(map(str, known)) or 'none'}. Give images of other numbers too."
            )
    if not present:
        raise DataError("The counting network is measured on held-out images; hold some out.")
    if strange := sorted({*present} - {*known}):
        raise DataError(
            f"Held-out images show {', '.join(map(str, strange))} objects, of which there are no "
            "images to learn from; give some, or leave them out."
        )
    labels = torch.searchsorted(torch.tensor(known), counts.cpu())
    return ImageSet.of(images, labels, tuple(map(str, known))), known


def _fit(network: CountingNet, train: ImageSet, seed: int, budget: int) -> None:
    """AdamW with one cycle of the learning rate."""
    device = next(network.parameters()).device
    images, labels = train.images.to(device), train.labels.to(device)
    size = min(BATCH, len(train))
    steps = max(1, budget // size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1)
    batches = _batches(images, labels, size, generator_for(seed, purpose="count network"))
    fit_one_cycle(network, optimizer, schedule, batches, steps, WHAT)


def _batches(
    images: Tensor, labels: Tensor, size: int, rng: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end; a new epoch begins with what is left of the old one."""
    order = torch.empty(0, dtype=torch.int64)
    while True:
        if len(order) < size:
            order = torch.cat([order, torch.randperm(len(images), generator=rng)])
        rows, order = order[:size].to(images.device), order[size:]
        yield _varied(to_float(images[rows]), rng), labels[rows]


def _varied(x: Tensor, rng: torch.Generator) -> Tensor:
    """Images (B, 3, H, W), half of them mirrored, the channels of each in an order of chance."""
    mirrored = torch.rand(len(x), generator=rng) < 0.5
    x = torch.where(mirrored.to(x.device).view(-1, 1, 1, 1), x.flip(-1), x)
    channels = torch.rand(len(x), 3, generator=rng).argsort(dim=1).to(x.device)
    return x.gather(1, channels.view(-1, 3, 1, 1).expand_as(x))


def _confusion(network: CountingNet, heldout: ImageSet) -> list[list[int]]:
    """Held-out images by true count (row) and answer (column)."""
    known = len(heldout.classes)
    cells = heldout.labels.cpu() * known + guesses(network, heldout.images)
    return torch.bincount(cells, minlength=known**2).view(known, known).tolist()
