"""A small convolutional GAN (after Radford et al., 2016) with spectral norm (Miyato et al., 2018).

For small images and for processors without a GPU: three strided convolutions each way, any
resolution that is a multiple of 8, unconditional.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from nda.errors import ConfigError


class Generator(nn.Module):
    """Latents `(B, latent_dim)`, standard normal, to images `(B, 3, R, R)` in [-1, 1]."""

    classes = 1

    def __init__(self, resolution: int, *, width: int = 32, latent_dim: int = 128) -> None:
        super().__init__()
        _check(resolution, width)
        self.latent_dim = latent_dim
        self.start = resolution // 8
        self.linear = nn.Linear(latent_dim, 4 * width * self.start**2, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width * k) for k in (4, 2, 1))
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
            for inputs, outputs in ((4 * width, 2 * width), (2 * width, width), (width, 3))
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        del labels
        maps = self.linear(latents).unflatten(1, (-1, self.start, self.start))
        for norm, conv in zip(self.norms, self.convs, strict=True):
            maps = conv(F.relu(norm(maps)))  # twice the size
        return torch.tanh(maps)


class Discriminator(nn.Module):
    """Images `(B, 3, R, R)` in [-1, 1] to logits `(B,)`, high for real ones."""

    classes = 1

    def __init__(self, resolution: int, *, width: int = 32) -> None:
        super().__init__()
        _check(resolution, width)
        self.resolution = resolution
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1))
            for inputs, outputs in ((3, width), (width, 2 * width), (2 * width, 4 * width))
        )
        self.linear = spectral_norm(nn.Linear(4 * width * (resolution // 8) ** 2, 1))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.logits(self.features(images), labels)

    def features(self, images: Tensor) -> Tensor:
        """What was found at each place, `(B, 4 width (R / 8)²)`."""
        maps = images
        for conv in self.convs:
            maps = F.leaky_relu(conv(maps), 0.1)  # half the size
        return maps.flatten(1)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """The logits `(B,)` of images with these features."""
        del labels
        logits: Tensor = self.linear(features).squeeze(1)
        return logits


def _check(resolution: int, width: int) -> None:
    if resolution < 8 or resolution % 8:
        raise ConfigError(
            f"The small network halves images three times, so the resolution must be a multiple "
            f"of 8, not {resolution}; choose one with --resolution."
        )
    if width < 1:
        raise ConfigError(f"width is {width}; it must be at least 1.")


UNITS = 128


class DenseDiscriminator(Discriminator):
    """Images `(B, 3, R, R)` in [-1, 1] to logits `(B,)`, high for real ones."""

    def __init__(self, resolution: int, *, width: int = 32) -> None:
        super().__init__(resolution, width=width)
        self.dense = spectral_norm(nn.Linear(4 * width * (resolution // 8) ** 2, UNITS))
        self.linear = spectral_norm(nn.Linear(UNITS, 1))

    def features(self, images: Tensor) -> Tensor:
        """What was found in the whole image, `(B, 128)`."""
        return F.leaky_relu(self.dense(super().features(images)), 0.1)
