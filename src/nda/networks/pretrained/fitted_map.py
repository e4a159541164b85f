"""What the networks have in common that are fitted to normal images at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal, Self

from torch import Tensor, nn


class FittedMap(nn.Module, ABC):
    """Images `(B, 3, S, S)` in [-1, 1] to maps `(B, h, w)`, high where not normal.

    An image's score is the highest or the mean value of its map, as `pooling` says. The backbone
    stays as it was published: there are no gradients, and its statistics never move.
    """

    pooling: ClassVar[Literal["max", "mean"]]

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor: ...

    @abstractmethod
    def fit(self, batches: Iterable[Tensor]) -> None:
        """Fit to normal images, given some at a time as `forward` takes them."""

    def train(self, mode: bool = True) -> Self:
        del mode
        return super().train(False)
