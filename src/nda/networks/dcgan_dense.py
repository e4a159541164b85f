"""The small GAN with a discriminator that can count: a dense layer between places and logit.

The plain one's logit is a sum over places, each of which sees a part of the image. More dots then
raise it or lower it, but no sum of parts is highest at six of them. A layer of units that each see
all places can say "at least six" and "at least seven", and their difference is a count.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from nda.networks import dcgan
from nda.networks.dcgan import Generator

__all__ = ["Discriminator", "Generator"]

UNITS = 128


class Discriminator(dcgan.Discriminator):
    """Images `(B, 3, R, R)` in [-1, 1] to logits `(B,)`, high for real ones."""

    def __init__(self, resolution: int, *, width: int = 32) -> None:
        super().__init__(resolution, width=width)
        self.dense = spectral_norm(nn.Linear(4 * width * (resolution // 8) ** 2, UNITS))
        self.linear = spectral_norm(nn.Linear(UNITS, 1))

    def features(self, images: Tensor) -> Tensor:
        """What was found in the whole image, `(B, 128)`."""
        return F.leaky_relu(self.dense(super().features(images)), 0.1)
