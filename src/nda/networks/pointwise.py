"""Strided 1 x 1 convolutions that take every second pixel first and then convolve without stride.

The function and its gradients are the same. In channels-last memory with few channels, oneDNN's
backward pass of the strided kind writes outside its memory on processors with AVX-512 (torch 2.11
to 2.15; docs/onednn-crash.md), which ends a run now and then and may spoil its numbers otherwise.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PointwiseConv2d(nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 1, stride=stride)` with the same weights of the same names."""

    def forward(self, x: Tensor) -> Tensor:
        down, across = self.stride
        return F.conv2d(x[:, :, ::down, ::across], self.weight, self.bias, groups=self.groups)


class PointwiseConv3d(nn.Conv3d):
    """`nn.Conv3d(inputs, outputs, 1, stride=stride)` with the same weights of the same names."""

    def forward(self, x: Tensor) -> Tensor:
        along, down, across = self.stride
        picked = x[:, :, ::along, ::down, ::across]
        return F.conv3d(picked, self.weight, self.bias, groups=self.groups)


def subsample_first(network: nn.Module) -> None:
    """Put a convolution of these in the place of every strided 1 x 1 one within `network`.

    The parameters are the very same objects, so optimizers, names and memory formats stay.
    """
    for name, part in list(network.named_modules()):
        if isinstance(part, nn.Conv2d | nn.Conv3d) and _is_strided_pointwise(part):
            network.set_submodule(name, _subsampling(part))


def _is_strided_pointwise(part: nn.Conv2d | nn.Conv3d) -> bool:
    return (
        type(part) in (nn.Conv2d, nn.Conv3d)
        and set(part.kernel_size) == {1}
        and max(part.stride) > 1
        and not any(part.padding)
    )


def _subsampling(part: nn.Conv2d | nn.Conv3d) -> nn.Module:
    kind = PointwiseConv3d if isinstance(part, nn.Conv3d) else PointwiseConv2d
    new = kind(
        part.in_channels,
        part.out_channels,
        1,
        stride=part.stride,  # type: ignore[arg-type]  # of as many dimensions as the kind has
        groups=part.groups,
        bias=part.bias is not None,
        device="meta",  # its own weights are never drawn: the random state stays as it is
    )
    new.weight, new.bias = part.weight, part.bias
    return new.train(part.training)
