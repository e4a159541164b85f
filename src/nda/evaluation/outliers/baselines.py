"""Outlier scores of a small classifier of the in-distribution classes, to set beside a detector.

They cost a few minutes of training and no generator. Where a detector does not beat them, it is
not worth its cost on that kind of outlier. All scores are outlier scores: high = anomalous.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.evaluation.fidelity.classifier import FeatureClassifier
from nda.evaluation.outliers.metrics import Kind
from nda.evaluation.record import Protocol

NEIGHBOURS = 50  # what Sun et al. choose on CIFAR-10; no outliers were used to choose it here
_QUERIES, _KEYS = 512, 16_384  # distances held at a time: some 32 MB


def msp_score(logits: Tensor) -> Tensor:
    """Maximum softmax probability p (Hendrycks and Gimpel, 2017), as -log p: (N, K) to (N,).

    The logarithm in float64 keeps the order of 1 - p without rounding the surest images to one
    value.
    """
    logits = _checked(logits)
    return logits.logsumexp(dim=1) - logits.amax(dim=1)


def energy_score(logits: Tensor) -> Tensor:
    """Free energy at temperature 1 (Liu et al., 2020), minus log sum exp: (N, K) to (N,)."""
    return -_checked(logits).logsumexp(dim=1)


def knn_score(features: Tensor, bank: Tensor, *, neighbours: int = NEIGHBOURS) -> Tensor:
    """Distance to the k-th nearest training feature, all scaled to length 1 (Sun et al., 2022).

    `features` (N, D), `bank` (M, D) of training images, `neighbours` = k; float32 (N,) in [0, 2].
    Memory does not grow with N x M. Raises `ShapeError` for features that are not two matrices of
    one width and `ConfigError` for k outside 1..M.
    """
    if features.dim() != 2 or bank.dim() != 2 or features.shape[1] != bank.shape[1]:
        raise ShapeError(
            "Nearest neighbours need features (N, D) and a bank (M, D); got "
            f"{tuple(features.shape)} and {tuple(bank.shape)}."
        )
    if not 1 <= neighbours <= len(bank):
        raise ConfigError(
            f"The number of neighbours is {neighbours}; it must lie between 1 and the "
            f"{len(bank)} training images there are."
        )
    bank = F.normalize(bank.float(), dim=1)
    nearest = [
        _similarity_to_kth(F.normalize(some.float(), dim=1), bank, neighbours)
        for some in features.split(_QUERIES)
    ]
    similarity = torch.cat([torch.empty(0), *nearest])
    return (2 - 2 * similarity).clamp(min=0).sqrt()  # |a - b|² = 2 - 2 a·b on the sphere


def _similarity_to_kth(queries: Tensor, bank: Tensor, k: int) -> Tensor:
    """The k-th largest cosine of each query with the rows of the bank."""
    best = torch.empty(len(queries), 0)
    for keys in bank.split(_KEYS):
        best = torch.cat([best, queries @ keys.T], dim=1)
        best = best.topk(min(k, best.shape[1]), dim=1, sorted=False).values
    return best.amin(dim=1)


class ClassifierBaselines:
    """MSP, energy and k-nearest-neighbour scores of images, from one classifier.

    `training_images` uint8 (M, 3, H, W) are what distances are taken to; `neighbours` is lowered
    to M where there are fewer images.
    """

    def __init__(
        self,
        classifier: FeatureClassifier,
        training_images: Tensor,
        *,
        neighbours: int = NEIGHBOURS,
    ) -> None:
        self.classifier = classifier
        self.neighbours = min(neighbours, len(training_images))
        self.bank = classifier.features(training_images)

    @property
    def kinds(self) -> dict[str, Kind]:
        """What the scores are, for the tables."""
        classifier: Protocol = {
            "classifier": self.classifier.fingerprint,
            "classifier_accuracy": self.classifier.accuracy,
        }
        words = {
            "msp": ("MSP", "maximum softmax probability p of a small classifier, -log p"),
            "energy": ("energy", "free energy of a small classifier, minus log sum exp"),
            "knn": (
                "kNN",
                f"distance to the k-th nearest training image, k = {self.neighbours}, in a small "
                "classifier's features scaled to length 1",
            ),
        }
        return {
            name: Kind(title, {"score": score, **classifier})
            for name, (title, score) in words.items()
        }

    def scores(self, images: Tensor) -> dict[str, Tensor]:
        """`msp`, `energy` and `knn`, each (N,), of images uint8 (N, 3, H, W)."""
        features = self.classifier.features(images)
        head = self.classifier.network.head
        logits = F.linear(features, head.weight.cpu(), head.bias.cpu())
        return {
            "msp": msp_score(logits),
            "energy": energy_score(logits),
            "knn": knn_score(features, self.bank, neighbours=self.neighbours),
        }


def _checked(logits: Tensor) -> Tensor:
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise ShapeError(
            "The scores of a classifier need logits (N, K) of two classes or more; got "
            f"{tuple(logits.shape)}."
        )
    return logits.double()
