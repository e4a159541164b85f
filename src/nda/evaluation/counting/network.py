"""A network that counts the objects in an image, and how far it can be trusted.

Scenes of solid objects have no exact rule of counting as dots have. A small classifier is trained
on images whose counts are known; how often it is right on images held out goes beside every figure
that comes of it.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.data.images.image_set import ImageSet, check_images, to_float
from nda.errors import ConfigError, DataError, ShapeError
from nda.runtime.files import StrPath, write_atomically
from nda.runtime.progress import tracked
from nda.runtime.sealed import load_tensors, save_tensors
from nda.runtime.seeding import generator_for, seeded

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
        return torch.tensor(self.counts)[_answers(self.network, images)]


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
    if budget < 1:
        raise ConfigError(f"The budget of the counting network is {budget} images; give 1 or more.")
    train, known = _labelled(images, counts)
    heldout, _ = _labelled(heldout_images, heldout_counts, known)
    origin = f"{FORMAT}: {train.fingerprint} {heldout.fingerprint} seed={seed} budget={budget}"
    cache_path = None if cache_path is None else Path(cache_path)
    if cache_path is not None and cache_path.is_file():
        kept = _load(cache_path, _initial(len(known), seed).to(device), known, heldout, origin)
        if kept is not None:
            return kept
    network = _initial(len(known), seed).to(device)
    _fit(network, train, seed, budget)
    trained = CountNetwork(network, known, _confusion(network, heldout))
    if cache_path is not None:
        _save(cache_path, trained, origin)
    return trained


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


def _initial(counts: int, seed: int) -> CountingNet:
    with seeded(seed):
        return CountingNet(counts)


def _fit(network: CountingNet, train: ImageSet, seed: int, budget: int) -> None:
    """AdamW with one cycle of the learning rate."""
    device = next(network.parameters()).device
    images, labels = train.images.to(device), train.labels.to(device)
    size = min(BATCH, len(train))
    steps = max(1, budget // size)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps + 1)
    rng = generator_for(seed, purpose="count network")
    order = torch.empty(0, dtype=torch.int64)
    network.train()
    for _ in tracked(range(steps), "training the counting network"):
        if len(order) < size:  # a new epoch; what is left of the old one comes first
            order = torch.cat([order, torch.randperm(len(train), generator=rng)])
        rows, order = order[:size], order[size:]
        x = _varied(to_float(images[rows.to(device)]), rng)
        loss = F.cross_entropy(network(x), labels[rows.to(device)])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    network.eval().requires_grad_(False)


def _varied(x: Tensor, rng: torch.Generator) -> Tensor:
    """Images (B, 3, H, W), half of them mirrored, the channels of each in an order of chance."""
    mirrored = torch.rand(len(x), generator=rng) < 0.5
    x = torch.where(mirrored.to(x.device).view(-1, 1, 1, 1), x.flip(-1), x)
    channels = torch.rand(len(x), 3, generator=rng).argsort(dim=1).to(x.device)
    return x.gather(1, channels.view(-1, 3, 1, 1).expand_as(x))


@torch.no_grad()
def _answers(network: CountingNet, images: Tensor) -> Tensor:
    """The most likely class of each image, int64 (N,) on the CPU."""
    check_images(images, "Images for the counting network")
    device = network.head.weight.device
    parts = [
        network(to_float(x.to(device))).argmax(dim=1).cpu() for x in images.split(256) if len(x)
    ]
    return torch.cat([torch.empty(0, dtype=torch.int64), *parts])


def _confusion(network: CountingNet, heldout: ImageSet) -> Tensor:
    known = len(heldout.classes)
    cells = heldout.labels.cpu() * known + _answers(network, heldout.images)
    return torch.bincount(cells, minlength=known**2).view(known, known)


def _save(path: Path, trained: CountNetwork, origin: str) -> None:
    weights = {k: v.cpu().contiguous() for k, v in trained.network.state_dict().items()}
    about = json.dumps({"origin": origin, "confusion": trained.confusion.tolist()})
    content = save_tensors(weights, "counter", about)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(content))


def _load(
    path: Path, network: CountingNet, counts: tuple[int, ...], heldout: ImageSet, origin: str
) -> CountNetwork | None:
    """The counter kept at `path`, measured again; None where it is of other data or damaged."""
    try:
        tensors, metadata = load_tensors(path, ("counter",))
        about = json.loads(metadata["counter"])
        if about["origin"] != origin:
            return None
        network.load_state_dict(tensors)
        network.eval().requires_grad_(False)
        confusion = _confusion(network, heldout)
        if confusion.tolist() != about["confusion"]:
            raise ValueError("it does not count as it did")
        return CountNetwork(network, counts, confusion)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        warnings.warn(
            f"{path} is damaged ({error}); the counting network is trained anew.", stacklevel=3
        )
        return None
