"""A feature network of the data set's own: a small CNN trained on its labels.

The Inception weights behind FID cannot be had everywhere. Where they cannot, images are compared
in the features of this classifier instead. Such a figure is not FID and is never called so: it
compares runs on one data set with each other, in one fixed space, which its protocol names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from nda.data.images.image_set import ImageSet, check_images, to_float
from nda.errors import DataError, ShapeError
from nda.evaluation.fidelity.frechet import frechet_distance
from nda.evaluation.record import Metric, Protocol
from nda.evaluation.small_classifier import (
    Training,
    fit_one_cycle,
    float_parts,
    guesses,
    refuse_no_budget,
)
from nda.runtime.digest import weights_digest
from nda.runtime.files import StrPath

WHAT = "feature classifier"
FORMAT = "nda feature classifier 1"  # anything that changes the training changes this number
WIDTH = 128
BATCH = 128
BUDGET = 300_000  # images to learn from: six times all of CIFAR-10
FEWEST_MEASURED, MOST_MEASURED = 1000, 10_000  # held-out images that the accuracy is taken on


class FeatureNetwork(nn.Module):
    """Convolutions that halve the image to about 4 pixels, 128 features wide; then a linear head.

    The first of them run at few channels and high resolution, so that one at 128 pixels costs
    about as much as one at 32: widths 32-64-128 from 32 pixels, 16-32-64-128 from 64.
    """

    def __init__(self, resolution: int, classes: int) -> None:
        super().__init__()
        halvings = max(1, round(math.log2(resolution / 4)))
        widths = [3, *(max(16, WIDTH >> left) for left in reversed(range(halvings)))]
        stages = [_stage(w, v, nn.MaxPool2d(2)) for w, v in pairwise(widths)]
        self.stages = nn.Sequential(*stages, _stage(widths[-1], WIDTH, nn.Identity()))
        self.head = nn.Linear(WIDTH, classes)
        self.to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> Tensor:
        """Features (B, 128) of images (B, 3, H, W) in [-1, 1]."""
        x = x.contiguous(memory_format=torch.channels_last)
        return self.stages(x).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, classes)."""
        return self.head(self.features(x))


def _stage(channels: int, width: int, pool: nn.Module) -> nn.Sequential:
    # Pooled before normalisation, which then has a quarter of the work.
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return nn.Sequential(convolution, pool, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


@dataclass(frozen=True)
class FeatureClassifier:
    """A trained feature network, how good it is, and which one it is."""

    network: FeatureNetwork
    accuracy: float  # share of held-out images it classifies rightly
    fingerprint: str  # short hash of the weights: features of different hashes do not compare

    @torch.no_grad()
    def features(self, images: Tensor, batch_size: int = 256) -> Tensor:
        """Features float32 (N, 128) on the CPU of images uint8 (N, 3, H, W).

        Raises `ShapeError` for images of another type or shape.
        """
        check_images(images, "Images for the feature classifier")
        batches = float_parts(self.network, images, batch_size)
        parts = [self.network.features(x).cpu() for x in batches]
        return torch.cat([torch.empty(0, WIDTH), *parts])


def train_feature_classifier(
    train: ImageSet,
    heldout: ImageSet,
    *,
    seed: int = 0,
    budget: int = BUDGET,
    device: torch.device | str = "cpu",
    cache_path: StrPath | None = None,
) -> FeatureClassifier:
    """Train a classifier on `train` and measure it on `heldout`; or read it from `cache_path`.

    `budget` is the number of images to learn from, seen again and again (six times with
    CIFAR-10), but none more than 40 times; of a larger set a part is seen. The result follows from
    data, seed and budget alone; with `cache_path` it is kept there, and a file that was made of
    other data or is damaged is trained anew. Raises `DataError` where there are not two classes to
    tell apart, and `ShapeError` where the two sets differ in size or classes.
    """
    refuse_no_budget(budget, WHAT)
    _check_sets(train, heldout)
    origin = f"{FORMAT}: {train.fingerprint} {heldout.fingerprint} seed={seed} budget={budget}"
    if len(train) > budget:
        origin += " of a larger set"  # which earlier versions have seen all of
    training = Training(
        WHAT,
        "classifier",
        ("accuracy", "fingerprint"),
        build=lambda: FeatureNetwork(min(train.images.shape[-2:]), len(train.classes)),
        fit=lambda network: _fit(network, train, seed, budget),
        measure=lambda network: {
            "accuracy": _accuracy(network, heldout, budget),
            "fingerprint": weights_digest(network),
        },
        verify=lambda network: {"fingerprint": weights_digest(network)},
    )
    network, facts = training.result(origin, seed=seed, device=device, cache_path=cache_path)
    return FeatureClassifier(network, facts["accuracy"], facts["fingerprint"])


def classifier_frechet(
    classifier: FeatureClassifier, real: Tensor, generated: Tensor, protocol: Protocol
) -> Metric:
    """Fréchet distance between real and generated images in the classifier's features.

    Both uint8 (N, 3, H, W) of one size (`ShapeError`); `protocol` is what the caller knows (split,
    EMA, batch-norm mode), to which classifier and numbers of images are added.
    """
    if real.shape[1:] != generated.shape[1:]:
        raise ShapeError(
            f"Real images are {tuple(real.shape[1:])} and generated ones "
            f"{tuple(generated.shape[1:])}; the distance needs both at one size."
        )
    return Metric(
        name="classifier_frechet",
        title="Classifier Fréchet distance",
        value=frechet_distance(classifier.features(real), classifier.features(generated)),
        better="lower",
        protocol={
            **protocol,
            "classifier": classifier.fingerprint,
            "classifier_accuracy": classifier.accuracy,
            "real_images": len(real),
            "generated_images": len(generated),
        },
    )


def _check_sets(train: ImageSet, heldout: ImageSet) -> None:
    if len(train.classes) < 2 or int(train.labels.min()) == int(train.labels.max()):
        raise DataError(
            f"A feature classifier learns to tell classes apart, and the training images have "
            f"{len(train.classes) or 'no'} classes. Sort them into one folder a class, or give "
            "the Inception weights instead."
        )
    if len(heldout) == 0:
        raise DataError(
            "The feature classifier is measured on held-out images, and there are none. "
            "Hold some out."
        )
    if heldout.classes != train.classes or heldout.images.shape[1:] != train.images.shape[1:]:
        raise ShapeError(
            f"Held-out images {tuple(heldout.images.shape[1:])} of {len(heldout.classes)} classes "
            f"do not match training images {tuple(train.images.shape[1:])} of "
            f"{len(train.classes)}; use two splits of one data set."
        )


def _fit(network: FeatureNetwork, train: ImageSet, seed: int, budget: int) -> None:
    """SGD with one cycle of the learning rate, on shuffled and randomly mirrored images."""
    device = next(network.parameters()).device
    images, labels = train.images.to(device), train.labels.to(device)
    epochs = min(40, max(1, round(budget / len(train))))
    order, mirrored = _draw_batches(len(train), epochs, seed, most=max(1, budget // BATCH))
    optimizer = torch.optim.SGD(
        network.parameters(), momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.2, total_steps=len(order) + 1, cycle_momentum=False
    )
    batches = (
        (_mirrored(to_float(images[rows]), which), labels[rows])
        for rows, which in zip(order.to(device), mirrored.to(device), strict=True)
    )
    fit_one_cycle(network, optimizer, schedule, batches, len(order), WHAT)


def _draw_batches(count: int, epochs: int, seed: int, *, most: int) -> tuple[Tensor, Tensor]:
    """Rows of every batch (steps, size), and which of them to mirror; the leftovers sit out.

    Of a single epoch there are at most `most` batches.
    """
    rng = torch.Generator().manual_seed(seed)
    size = min(BATCH, count)
    whole = count // size * size
    order = [torch.randperm(count, generator=rng)[:whole].view(-1, size) for _ in range(epochs)]
    rows = torch.cat(order) if epochs > 1 else order[0][:most]
    return rows, torch.rand(rows.shape, generator=rng) < 0.5


def _mirrored(x: Tensor, which: Tensor) -> Tensor:
    return torch.where(which.view(-1, 1, 1, 1), x.flip(-1), x)


def _accuracy(network: FeatureNetwork, heldout: ImageSet, budget: int) -> float:
    some = heldout.spread_out(min(MOST_MEASURED, max(FEWEST_MEASURED, budget // 10)))
    return float((guesses(network, some.images) == some.labels).double().mean())
