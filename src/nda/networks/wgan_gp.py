"""The residual networks of WGAN-GP (Gulrajani et al., 2017) for images of 64 pixels and the like.

Any resolution that is 4 times a power of 2, unconditional. The critic has layer norm in place of
batch norm: the gradient penalty is a matter of each sample alone, and a norm over the batch would
make the critic's value of one sample depend on the others.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.errors import ConfigError

_SMALLEST = 4  # side of the map that the generator starts from and the critic ends with
_MOST = 8  # channels grow with every halving up to this multiple of `width`


class Generator(nn.Module):
    """Latents `(B, latent_dim)`, standard normal, to images `(B, 3, R, R)` in [-1, 1]."""

    classes = 1

    def __init__(self, resolution: int = 64, *, width: int = 64, latent_dim: int = 128) -> None:
        super().__init__()
        channels = _channels(resolution, width)[::-1]
        self.latent_dim = latent_dim
        self.linear = nn.Linear(latent_dim, channels[0] * _SMALLEST**2)
        self.blocks = nn.ModuleList(
            UpBlock(inputs, outputs) for inputs, outputs in pairwise(channels)
        )
        self.norm = nn.BatchNorm2d(channels[-1])
        self.conv = nn.Conv2d(channels[-1], 3, 3, padding=1)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        del labels
        maps = self.linear(latents).unflatten(1, (-1, _SMALLEST, _SMALLEST))
        for block in self.blocks:
            maps = block(maps)  # twice the size
        return torch.tanh(self.conv(F.relu(self.norm(maps))))


class Discriminator(nn.Module):
    """The critic: images `(B, 3, R, R)` in [-1, 1] to values `(B,)`, high for real ones."""

    classes = 1

    def __init__(self, resolution: int = 64, *, width: int = 64) -> None:
        super().__init__()
        channels = _channels(resolution, width)
        self.resolution = resolution
        self.conv = nn.Conv2d(3, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            DownBlock(inputs, outputs) for inputs, outputs in pairwise(channels)
        )
        self.linear = nn.Linear(channels[-1] * _SMALLEST**2, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.logits(self.features(images), labels)

    def features(self, images: Tensor) -> Tensor:
        """What was found at each of 4 x 4 places, `(B, 16 channels)`."""
        maps = self.conv(images)
        for block in self.blocks:
            maps = block(maps)  # half the size
        return maps.flatten(1)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """The values `(B,)` of images with these features."""
        del labels
        values: Tensor = self.linear(features).squeeze(1)
        return values


class UpBlock(nn.Module):
    """Residual block of the generator; doubles the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = _he(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = _he(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        hidden = self.conv1(F.interpolate(F.relu(self.norm1(maps)), scale_factor=2))
        hidden = self.conv2(F.relu(self.norm2(hidden)))
        # A 1x1 convolution and nearest enlargement commute; this order costs a quarter.
        return hidden + F.interpolate(self.shortcut(maps), scale_factor=2)


class DownBlock(nn.Module):
    """Residual block of the critic; halves the size. Layer norm: over channels and places."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(1, inputs)
        self.conv1 = _he(nn.Conv2d(inputs, inputs, 3, padding=1, bias=False))
        self.norm2 = nn.GroupNorm(1, inputs)
        self.conv2 = _he(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: Tensor) -> Tensor:
        hidden = self.conv1(F.relu(self.norm1(maps)))
        hidden = F.avg_pool2d(self.conv2(F.relu(self.norm2(hidden))), 2)
        return hidden + self.shortcut(F.avg_pool2d(maps, 2))


def _he(conv: nn.Conv2d) -> nn.Conv2d:
    """He's weights, as the authors take in front of rectifiers; no bias at first."""
    nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _channels(resolution: int, width: int) -> list[int]:
    """Channels of the critic's maps, halving by halving; the generator's are the same backwards."""
    blocks = (resolution // _SMALLEST).bit_length() - 1
    if blocks < 1 or resolution != _SMALLEST << blocks:
        raise ConfigError(
            f"The networks of WGAN-GP halve images down to {_SMALLEST} pixels, so the resolution "
            f"must be 8, 16, 32, 64, ..., not {resolution}; choose one with --resolution."
        )
    if width < 1:
        raise ConfigError(f"width is {width}; it must be at least 1.")
    return [width * min(2**index, _MOST) for index in range(blocks + 1)]
