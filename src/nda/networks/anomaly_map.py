"""A fully convolutional network that says of every place of an image whether it is normal.

A trunk gives maps at a quarter, an eighth and a sixteenth of the side; a decoder brings what the
coarse ones know of the whole down to the finest, as in a U-Net (Ronneberger et al., 2015).
"""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.networks.pointwise import PointwiseConv2d

STRIDES = (4, 8, 16)  # of the maps of a trunk
_EXPECTED = 0.02  # share of places that are anomalous, where learning begins


class Trunk(Protocol):
    """Images `(B, 3, H, W)` in [-1, 1] to three maps, at strides 4, 8 and 16."""

    channels: tuple[int, int, int]

    def __call__(self, images: Tensor) -> list[Tensor]: ...


class AnomalyMap(nn.Module):
    """Images `(B, 3, H, W)` in [-1, 1] to logits `(B, H / 4, W / 4)`, high where not normal.

    Height and width must be multiples of 16.
    """

    pooling: ClassVar[Literal["max", "mean"]] = "max"  # an image's score is its highest logit

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__()
        fine, middle, coarse = trunk.channels  # type: ignore[misc]  # of a Trunk
        self.trunk = trunk
        self.lateral4 = nn.Conv2d(fine, width, 1)
        self.lateral8 = nn.Conv2d(middle, 2 * width, 1)
        self.lateral16 = nn.Conv2d(coarse, 2 * width, 1)
        self.merge8 = Residual(2 * width, 2 * width)
        self.narrow = nn.Conv2d(2 * width, width, 1)
        self.merge4 = Residual(width, width)
        self.out = nn.Conv2d(width, 1, 1)
        bias = torch.logit(torch.tensor(_EXPECTED, device="cpu")).item()
        nn.init.constant_(self.out.bias, bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        fine, middle, coarse = self.trunk(images)
        middle = self.merge8(self.lateral8(middle) + _enlarge(self.lateral16(coarse)))
        fine = self.merge4(self.lateral4(fine) + _enlarge(self.narrow(middle)))
        return self.out(fine).squeeze(1)


class PlainTrunk(nn.Module):
    """Residual stages of `width`, 2 and 4 times `width` channels, learned from scratch.

    Every image is first brought to zero mean and unit deviation by itself, so that its exposure
    does not matter.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width)
        self.stem = nn.Sequential(
            nn.Conv2d(3, max(width // 2, 8), 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(max(width // 2, 8)),
            nn.ReLU(inplace=True),
        )
        self.stage4 = Residual(max(width // 2, 8), width, stride=2)
        self.stage8 = Residual(width, 2 * width, stride=2)
        self.stage16 = nn.Sequential(
            Residual(2 * width, 4 * width, stride=2), Residual(4 * width, 4 * width)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        fine = self.stage4(self.stem(standardise(images)))
        middle = self.stage8(fine)
        return [fine, middle, self.stage16(middle)]


class Residual(nn.Module):
    """Two convolutions and a shortcut (He et al., 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = PointwiseConv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        hidden = F.relu(self.norm1(self.conv1(maps)))
        return F.relu(self.shortcut(maps) + self.norm2(self.conv2(hidden)))


def standardise(images: Tensor) -> Tensor:
    """Each image `(C, H, W)` of a batch with mean 0 and, unless it is flat, deviation 1."""
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / (deviation + 0.02)


def _enlarge(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
