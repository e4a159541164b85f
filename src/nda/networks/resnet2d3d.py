"""2D3D-ResNets (Han et al., 2019): the first two stages see single frames, the last two motion."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nda.errors import ConfigError, ShapeError
from nda.networks.pointwise import PointwiseConv2d, PointwiseConv3d

_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
NETWORKS = tuple(_BLOCKS)
PUBLISHED_WIDTH = 64
SPACE_STRIDE, TIME_STRIDE = 32, 4  # from pixels and frames to cells


class ResNet2d3d(nn.Module):
    """Blocks of frames `(M, 3, T, H, W)` in [-1, 1] to maps `(M, 4 width, T', H', W')`.

    T' is T / 4, H' is H / 32 and W' is W / 32, each rounded up. The last stage has as many
    channels as the one before, and no ReLU at its end, so that features may have either sign.

    Args:
        name: resnet18 or resnet34.
        width: channels of the stem, at least 1; 64 as published gives 256 in the end.

    Raises:
        ConfigError: for another name, or a width below 1.
        ShapeError: for an input of another shape.
    """

    def __init__(self, name: str = "resnet18", *, width: int = PUBLISHED_WIDTH) -> None:
        super().__init__()
        if name not in _BLOCKS:
            raise ConfigError(f"network is {name!r}; give one of {', '.join(NETWORKS)}.")
        if width < 1:
            raise ConfigError(f"width is {width}; it must be at least 1.")
        counts = _BLOCKS[name]
        self.features = 4 * width
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.layer1 = _stage(2, counts[0], width, width, stride=1)
        self.layer2 = _stage(2, counts[1], width, 2 * width, stride=2)
        self.layer3 = _stage(3, counts[2], 2 * width, 4 * width, stride=2)
        self.layer4 = _stage(3, counts[3], 4 * width, 4 * width, stride=2, final_relu=False)
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        # Channels last: a quarter less time a step on a processor.
        for frames in (self.stem, self.layer1, self.layer2):
            frames.to(memory_format=torch.channels_last)
        for motion in (self.layer3, self.layer4):
            motion.to(memory_format=torch.channels_last_3d)

    def forward(self, blocks: Tensor) -> Tensor:
        if blocks.dim() != 5 or blocks.shape[1] != 3:
            raise ShapeError(
                f"The network takes blocks of frames (M, 3, T, H, W); got {tuple(blocks.shape)}."
            )
        count, _, frames = blocks.shape[:3]
        # Frame by frame: the same as 1 x 3 x 3 convolutions, and faster by plain 2D ones.
        x = blocks.transpose(1, 2).flatten(0, 1)  # (M T, 3, H, W)
        x = self.layer2(self.layer1(self.stem(x)))
        x = x.unflatten(0, (count, frames)).transpose(1, 2)  # (M, 2 width, T, H / 8, W / 8)
        result: Tensor = self.layer4(self.layer3(x))
        return result

    @staticmethod
    def map_size(frames: int, height: int, width: int) -> tuple[int, int, int]:
        """T', H' and W' for blocks of that size."""
        return (
            math.ceil(frames / TIME_STRIDE),
            math.ceil(height / SPACE_STRIDE),
            math.ceil(width / SPACE_STRIDE),
        )


class ResidualBlock(nn.Module):
    """Two convolutions of side 3 over 2 or 3 dimensions, and the way around them."""

    def __init__(
        self, dims: int, inputs: int, outputs: int, *, stride: int, final_relu: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = _conv(dims, inputs, outputs, 3, stride)
        self.bn1 = _norm(dims, outputs)
        self.conv2 = _conv(dims, outputs, outputs, 3, 1)
        self.bn2 = _norm(dims, outputs)
        self.around: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.around = nn.Sequential(
                _conv(dims, inputs, outputs, 1, stride), _norm(dims, outputs)
            )
        self.final_relu = final_relu

    def forward(self, x: Tensor) -> Tensor:
        changed = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        result: Tensor = changed + self.around(x)
        return torch.relu(result) if self.final_relu else result


def _stage(
    dims: int, count: int, inputs: int, outputs: int, *, stride: int, final_relu: bool = True
) -> nn.Sequential:
    blocks = [ResidualBlock(dims, inputs, outputs, stride=stride)]
    blocks += [ResidualBlock(dims, outputs, outputs, stride=1) for _ in range(count - 1)]
    blocks[-1].final_relu = final_relu
    return nn.Sequential(*blocks)


def _conv(dims: int, inputs: int, outputs: int, side: int, stride: int) -> nn.Module:
    plain = nn.Conv3d if dims == 3 else nn.Conv2d
    pointwise = PointwiseConv3d if dims == 3 else PointwiseConv2d
    kind = pointwise if side == 1 else plain
    return kind(inputs, outputs, side, stride=stride, padding=side // 2, bias=False)


def _norm(dims: int, channels: int) -> nn.Module:
    return nn.BatchNorm3d(channels) if dims == 3 else nn.BatchNorm2d(channels)
