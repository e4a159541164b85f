"""A network that counts the objects in an image, and how far it can be trusted.

Scenes of solid objects have no exact rule of counting as dots have. A small classifier is trained
on images whose counts are known; how often it is right on images held out goes beside every figure
that comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nda.data.image_set import ImageSet
from nda.errors import DataError, ShapeError
from nda.evaluation.classifier import FeatureClassifier, train_feature_classifier

BUDGET = 240_000  # images to learn from, seen again and again: 20 times with 5 x 2,400


@dataclass(frozen=True)
class CountNetwork:
    """A trained counter. It knows the `counts` it was trained on, and answers with one of them."""

    classifier: FeatureClassifier
    counts: tuple[int, ...]
    confusion: Tensor  # int64 (K, K): held-out images by true count (row) and answer (column)

    @property
    def accuracy(self) -> float:
        """Share of the held-out images that it counts rightly."""
        return self.classifier.accuracy

    def count(self, images: Tensor) -> Tensor:
        """The number of objects in each image: uint8 (N, 3, H, W) to int64 (N,) on the CPU.

        Raises `ShapeError` for images of another type or shape.
        """
        return _answers(self.classifier, images, torch.tensor(self.counts))


def train_count_network(
    images: Tensor,
    counts: Tensor,
    *,
    heldout_images: Tensor,
    heldout_counts: Tensor,
    device: torch.device | str = "cpu",
    cache_path: Path | None = None,
    seed: int = 0,
    budget: int = BUDGET,
) -> CountNetwork:
    """Train a counter on images uint8 (N, 3, H, W) and their counts (N,), whole numbers from 0.

    It is measured on the held-out images, and learns from `budget` images, mirrored at random. The
    result follows from data, seed and budget alone; with `cache_path` it is kept there, and used
    again for the same data. Raises `DataError` where all images have one count or none are held
    out, and `ShapeError` where shapes do not match.
    """
    for some, numbers in ((images, counts), (heldout_images, heldout_counts)):
        if some.dtype != torch.uint8 or numbers.shape != some.shape[:1]:
            raise ShapeError(
                "A counting network learns from images uint8 (N, 3, H, W) and counts (N,); got "
                f"{some.dtype} {tuple(some.shape)} and {tuple(numbers.shape)}."
            )
    known = torch.unique(counts.cpu())  # sorted
    strange = sorted({*heldout_counts.tolist()} - {*known.tolist()})
    if strange:
        raise DataError(
            f"Held-out images show {', '.join(map(str, strange))} objects, of which there are no "
            "images to learn from; give some, or leave them out."
        )
    names = tuple(str(count) for count in known.tolist())
    heldout = ImageSet.of(heldout_images, torch.searchsorted(known, heldout_counts.cpu()), names)
    classifier = train_feature_classifier(
        ImageSet.of(images, torch.searchsorted(known, counts.cpu()), names),
        heldout,
        seed=seed,
        budget=budget,
        device=device,
        cache_path=cache_path,
    )
    answers = _answers(classifier, heldout.images, torch.arange(len(known)))
    cells = heldout.labels.cpu() * len(known) + answers
    confusion = torch.bincount(cells, minlength=len(known) ** 2).view(len(known), len(known))
    return CountNetwork(classifier, tuple(known.tolist()), confusion)


@torch.no_grad()
def _answers(classifier: FeatureClassifier, images: Tensor, meanings: Tensor) -> Tensor:
    """What the classifier's most likely class means, of each image."""
    head = classifier.network.head
    features = classifier.features(images).to(head.weight.device)
    return meanings[head(features).argmax(dim=1).cpu()]
