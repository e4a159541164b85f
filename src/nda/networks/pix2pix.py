"""The networks of pix2pix: a U-Net that translates, and a discriminator of patches.

As published (Isola et al., 2017, section 6.1 and the authors' code); width 64 is full size.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from nda.errors import ConfigError

Norm = Literal["batch", "instance"]
RESOLUTIONS = (64, 128, 256)
PATCHES = {16: 1, 34: 2, 70: 3}  # receptive field in pixels: convolutions of stride 2
_DROPPED = 3  # blocks of the decoder with dropout, counted from the innermost


class Generator(nn.Module):
    """A U-Net from images to images, both `(B, 3, R, R)` in [-1, 1].

    Convolutions of stride 2 lead down to a single place, and as many lead up again, each beside
    the features of its size on the way down. What is random is dropout in the three innermost
    blocks upward, which stays on at test time: it is the noise z of the paper. Normalisation always
    uses the statistics of what goes through, never averages of training.

    Raises:
        ConfigError: for a resolution other than 64, 128 and 256, or a width below 1.
    """

    def __init__(self, resolution: int, *, width: int = 64, norm: Norm = "batch") -> None:
        super().__init__()
        if resolution not in RESOLUTIONS:
            raise ConfigError(
                f"resolution is {resolution}; the networks of pix2pix take 64, 128 or 256 pixels."
            )
        if width < 1:
            raise ConfigError(f"width is {width}; it must be at least 1.")
        self.resolution = resolution
        depth = resolution.bit_length() - 1  # 8 convolutions from 256 pixels to 1
        channels = [width * min(2**level, 8) for level in range(depth)]
        self.down = nn.ModuleList([nn.Conv2d(3, channels[0], 4, stride=2, padding=1)])
        for level, (before, after) in enumerate(pairwise(channels), start=1):
            # A single place has no statistics, so the innermost features are not normalised.
            last = level == depth - 1
            conv = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=last)
            normed = [] if last else [normalisation(norm, after)]
            self.down.append(nn.Sequential(nn.LeakyReLU(0.2), conv, *normed))
        self.up = nn.ModuleList()
        for level, (after, before) in enumerate(reversed(list(pairwise(channels)))):
            joined = before if level == 0 else 2 * before  # beside the way down
            conv_up = nn.ConvTranspose2d(joined, after, 4, stride=2, padding=1, bias=False)
            block = [nn.ReLU(), conv_up, normalisation(norm, after)]
            self.up.append(nn.Sequential(*block, *[nn.Dropout(0.5)] * (level < _DROPPED)))
        self.last = nn.Sequential(
            nn.ReLU(), nn.ConvTranspose2d(2 * width, 3, 4, stride=2, padding=1), nn.Tanh()
        )
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        skips.pop()  # the innermost features go up by themselves
        for block in self.up:
            x = torch.cat([block(x), skips.pop()], dim=1)
        return self.last(x)


class PatchDiscriminator(nn.Module):
    """Logits `(B, 1, h, w)` of pairs of images, each judging a patch of `patch` × `patch` pixels.

    At 256 pixels the published patch of 70 gives 30 × 30 logits.

    Raises:
        ConfigError: for a patch other than 16, 34 and 70, or a width below 1.
    """

    def __init__(self, *, width: int = 64, norm: Norm = "batch", patch: int = 70) -> None:
        super().__init__()
        if patch not in PATCHES:
            raise ConfigError(f"patch is {patch}; it must be 16, 34 or 70 pixels.")
        if width < 1:
            raise ConfigError(f"width is {width}; it must be at least 1.")
        halvings = PATCHES[patch]
        channels = [width * min(2**level, 8) for level in range(halvings + 1)]
        layers: list[nn.Module] = [
            nn.Conv2d(6, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        ]
        for level, (before, after) in enumerate(pairwise(channels), start=1):
            stride = 2 if level < halvings else 1
            layers += [
                nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=False),
                normalisation(norm, after),
                nn.LeakyReLU(0.2),
            ]
        layers.append(nn.Conv2d(channels[-1], 1, 4, padding=1))
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, condition: Tensor, image: Tensor) -> Tensor:
        """`condition` and `image` are `(B, 3, R, R)` in [-1, 1]."""
        return self.layers(torch.cat([condition, image], dim=1))


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """Batch norm over what is in the batch, or instance norm; the same for a batch of one."""
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.BatchNorm2d(channels, track_running_stats=False)


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), gains from N(1, 0.02), biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
