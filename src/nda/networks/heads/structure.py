"""A second head on a discriminator's features, which learns structure from negatives.

The discriminator's own head then plays the plain GAN's game: the negatives take nothing of its
loss, and shape the features that both heads read.
"""

from __future__ import annotations

from typing import Any, overload

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

MOST_UNITS = 256  # features over all places are many thousands, whose square would be the network


class StructureHead(nn.Module):
    """Features `(B, F)` to logits `(B,)`, high for images whose structure is whole.

    Two linear maps with spectral norm, F units between them and at most 256. It knows no classes:
    that a structure is broken can be seen without them.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        units = min(features, MOST_UNITS)
        self.hidden = spectral_norm(nn.Linear(features, units))
        self.linear = spectral_norm(nn.Linear(units, 1))

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(F.relu(self.hidden(features))).squeeze(1)
        return logits


class TwoHeads(nn.Module):
    """A discriminator and a structure head that reads the same features.

    Images `(B, 3, R, R)` in [-1, 1] and, where the discriminator needs them, labels `(B,)` to the
    discriminator's logits `(B,)`; with `structure` also to the head's, likewise `(B,)`.
    """

    def __init__(self, discriminator: Any) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.head = StructureHead(discriminator.linear.in_features)

    @overload
    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor: ...

    @overload
    def forward(
        self, images: Tensor, labels: Tensor | None = None, *, structure: bool
    ) -> tuple[Tensor, Tensor]: ...

    def forward(
        self, images: Tensor, labels: Tensor | None = None, *, structure: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        features = self.discriminator.features(images)
        logits: Tensor = self.discriminator.logits(features, labels)
        return (logits, self.head(features)) if structure else logits
