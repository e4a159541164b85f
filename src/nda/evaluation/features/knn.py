"""Weighted nearest neighbours in an encoder's features (Wu et al., 2018): classes without training.

Its defaults, k = 200 and T = 0.1, are those of MoCo's and lightly's monitors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ConfigError, ShapeError

_COMPARED = 2**24  # cosines held at once: 64 MiB of float32


@dataclass(frozen=True)
class Knn:
    """What nearest neighbours make of a set of queries."""

    accuracy: float  # share that is classified rightly
    correct: Tensor  # which are, bool (N,) on the CPU


def knn_accuracy(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    labels: Tensor,
    *,
    classes: int,
    k: int = 200,
    temperature: float = 0.1,
) -> Knn:
    """Classify each query by its `k` nearest of the bank; a neighbour votes with exp(cosine / T).

    Args:
        bank: features `(M, D)` of any length: the cosine is of directions alone.
        bank_labels: whole numbers `(M,)` in 0..classes - 1.
        queries: features `(N, D)` on the bank's device.
        labels: `(N,)`, the truth.
        classes: how many there are.
        k: neighbours that vote; all of the bank where it is smaller.
        temperature: T, above 0: the smaller, the more the very nearest count.

    Raises:
        ShapeError: features or labels do not belong together.
        ConfigError: k, temperature or classes are out of range.
    """
    if classes < 1 or not 0 < temperature < float("inf"):
        raise ConfigError(
            f"Nearest neighbours need 1 class or more and a temperature above 0; got {classes} "
            f"and {temperature}."
        )
    _check_labels(bank, bank_labels, classes)
    _check_labels(queries, labels, classes)
    known = bank_labels.to(bank.device)
    guesses = []
    for cosines, index in _nearest(bank, queries, k, beside=classes):
        # Relative to the nearest, so that a small T overflows nothing; the order stays the same.
        votes = ((cosines - cosines[:, :1]) / temperature).exp()  # (chunk, k)
        scores = votes.new_zeros(len(votes), classes).scatter_add_(1, known[index], votes)
        guesses.append(scores.argmax(dim=1).cpu())
    correct = torch.cat(guesses) == labels.cpu()
    return Knn(float(correct.double().mean()), correct)


def nearest_features(bank: Tensor, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The `k` nearest of `bank` (M, D) to each of `queries` (N, D) by cosine, nearest first.

    Gives cosines float32 `(N, k)` and places in the bank int64 `(N, k)`, on the CPU; all of the
    bank where it holds fewer than `k`. Raises `ShapeError` for features that do not belong
    together, `ConfigError` for a `k` below 1.
    """
    found = list(_nearest(bank, queries, k))
    cosines = torch.cat([part for part, _ in found]).cpu()
    return cosines, torch.cat([index for _, index in found]).cpu()


def _nearest(
    bank: Tensor, queries: Tensor, k: int, *, beside: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Cosines and places of the neighbours, chunk by chunk of the queries.

    For each of its queries a chunk has room for `beside` numbers as well as for the cosines.
    """
    if bank.dim() != 2 or queries.dim() != 2 or bank.shape[1] != queries.shape[1]:
        raise ShapeError(
            "Neighbours are sought among features (M, D) for features (N, D); got "
            f"{tuple(bank.shape)} and {tuple(queries.shape)}."
        )
    if not len(bank) or not len(queries):
        raise ShapeError(
            f"Neighbours are sought among {len(bank)} features for {len(queries)}; give 1 or more "
            "of both."
        )
    if k < 1:
        raise ConfigError(f"k is {k}; at least 1 neighbour must vote.")
    known = F.normalize(bank.float(), dim=1)
    for part in queries.split(max(1, _COMPARED // max(len(bank), beside))):
        cosines, index = (F.normalize(part.float(), dim=1) @ known.T).topk(min(k, len(bank)), dim=1)
        yield cosines, index


def _check_labels(features: Tensor, labels: Tensor, classes: int) -> None:
    if labels.shape != features.shape[:1] or labels.dtype != torch.int64:
        raise ShapeError(
            f"Labels must be int64 of shape ({len(features)},), one a feature; got {labels.dtype} "
            f"of shape {tuple(labels.shape)}."
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ShapeError(
            f"Labels must lie in 0..{classes - 1}; got {int(labels.min())}..{int(labels.max())}."
        )
