"""ResNet encoders: torchvision's own, with the stem that small images need and at any width."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nda.errors import ConfigError
from nda.extras import needed
from nda.networks.pointwise import subsample_first
from nda.runtime.seeding import seeded

with needed("Encoders are ResNets of torchvision", "train"):
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

PUBLISHED_WIDTH = 64


@dataclass(frozen=True)
class _Kind:
    block: type[BasicBlock] | type[Bottleneck]
    layers: list[int]
    small_images: bool  # a 3 x 3 stem of stride 1 and no pooling, as is usual for CIFAR


_KINDS = {
    "cifar_resnet18": _Kind(BasicBlock, [2, 2, 2, 2], True),
    "cifar_resnet50": _Kind(Bottleneck, [3, 4, 6, 3], True),
    "resnet18": _Kind(BasicBlock, [2, 2, 2, 2], False),
    "resnet50": _Kind(Bottleneck, [3, 4, 6, 3], False),
}
ENCODERS = tuple(_KINDS)


def build_encoder(name: str, *, width: int = PUBLISHED_WIDTH, seed: int = 0) -> ResNet:
    """A ResNet without its head: images `(B, 3, H, W)` in [-1, 1] to features `(B, D)`.

    `name` is one of `ENCODERS`; `width` counts the channels of the stem, 64 as published. The
    names of its weights are those of torchvision, of which it is made. Weights follow from
    `seed`. D is `feature_dim(name, width)`.

    Raises `ConfigError` for another name or a width below 1.
    """
    kind = _kind(name, width)
    with seeded(seed):
        network = _narrowed(kind, width)
        if kind.small_images:
            network.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
            network.maxpool = nn.Identity()
            nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    network.fc = nn.Identity()
    subsample_first(network)
    return network.to(memory_format=torch.channels_last)


def feature_dim(name: str, width: int = PUBLISHED_WIDTH) -> int:
    """Number of features of an encoder: 512 or 2048 as published."""
    return 8 * width * _kind(name, width).block.expansion


def _narrowed(kind: _Kind, width: int) -> ResNet:
    """The network of torchvision, its stages made anew by its own function for another width."""
    network = ResNet(kind.block, kind.layers)
    if width == PUBLISHED_WIDTH:
        return network
    network.inplanes = width
    network.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    network.bn1 = nn.BatchNorm2d(width)
    for stage, layers in enumerate(kind.layers):
        made = network._make_layer(  # the way its constructor takes
            kind.block, width << stage, layers, stride=1 if stage == 0 else 2
        )
        network.set_submodule(f"layer{stage + 1}", made)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return network


def _kind(name: str, width: int) -> _Kind:
    if name not in _KINDS:
        raise ConfigError(f"network is {name!r}; give one of {', '.join(ENCODERS)}.")
    if width < 1:
        raise ConfigError(f"width is {width}; an encoder needs at least 1 channel.")
    return _KINDS[name]
