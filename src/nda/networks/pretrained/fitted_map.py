"""What the networks have in common that are fitted to normal images at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn


class FittedMap(nn.Module, ABC):
    """Images `(B, 3, S, S)` in [-1, 1] to maps `(B, h, w)`, high where not normal.

    An image's score is the highest or the mean value of its map, as `pooling` says. The backbone
    `trunk` stays as it was published: there are no gradients, and its statistics never move.
    """

    pooling: ClassVar[Literal["max", "mean"]]
    trunk: Any  # images to a sequence of maps, from fine to coarse, of `channels`

    def forward(self, images: Tensor) -> Tensor:
        return self.measure(self.trunk(images))

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """Fit to normal images, given some at a time as `forward` takes them."""
        self.fit_features(self.trunk(batch) for batch in batches)

    @abstractmethod
    def measure(self, features: Sequence[Tensor]) -> Tensor:
        """The map of images whose features the trunk gave, a tensor (B, C, h, w) a level."""

    @abstractmethod
    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Fit to the features of normal images, as `measure` takes them."""

    def train(self, mode: bool = True) -> Self:
        del mode
        return super().train(False)


class FeaturesGiven(nn.Module):
    """Stands for the trunk in a network that is only given features; knows how wide they are."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.channels = tuple(channels)
