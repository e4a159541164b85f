"""A third class on a discriminator: negatives, beside real and generated images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from nda.objectives.three_class import no_negative

NO_NEGATIVE = "negative class"  # the output that the audit of such a discriminator is of


class ThreeClasses(nn.Module):
    """A discriminator whose last layer has an output more, for negatives.

    Images `(B, 3, R, R)` in [-1, 1] and, where the discriminator needs them, labels `(B,)` to the
    discriminator's logits `(B,)`; with `classes` to the logits `(B, 3)` of real, generated and
    negative images. Softmax knows them up to a constant, so the discriminator's own logit, real
    against generated, is taken for the difference of the first two, and stands in for both.
    """

    def __init__(self, discriminator: Any) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.negative = spectral_norm(nn.Linear(discriminator.linear.in_features, 1))

    def forward(
        self, images: Tensor, labels: Tensor | None = None, *, classes: bool = False
    ) -> Tensor:
        features = self.discriminator.features(images)
        logits: Tensor = self.discriminator.logits(features, labels)
        if not classes:
            return logits
        half = logits / 2
        return torch.stack([half, -half, self.negative(features).squeeze(1)], dim=1)

    def no_negative(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Log odds that images are no negatives, real or generated ones: `(B,)`."""
        return no_negative(self(images, labels, classes=True))
