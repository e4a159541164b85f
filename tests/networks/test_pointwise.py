"""Strided 1 x 1 convolutions: torch's own function and gradients, and none of its own kind left."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nda.evaluation.outliers.detector import build_network
from nda.networks.faster_rcnn import build_detector
from nda.networks.pointwise import PointwiseConv2d, PointwiseConv3d, subsample_first
from nda.networks.pyramid import TorchvisionTrunk
from nda.networks.resnet import ENCODERS, build_encoder
from nda.networks.resnet2d3d import ResNet2d3d
from nda.networks.torchvision_encoder import TorchvisionEncoder


@pytest.mark.parametrize(
    ("plain", "ours", "shape"),
    [
        (nn.Conv2d(6, 4, 1, stride=2), PointwiseConv2d, (2, 6, 9, 8)),
        (nn.Conv2d(6, 4, 1, stride=(1, 3), bias=False), PointwiseConv2d, (2, 6, 7, 8)),
        (nn.Conv2d(6, 4, 1, stride=2, groups=2), PointwiseConv2d, (2, 6, 8, 8)),
        (nn.Conv3d(6, 4, 1, stride=(2, 1, 3)), PointwiseConv3d, (2, 6, 3, 5, 8)),
    ],
)
def test_function_and_gradients_are_those_of_torch(
    plain: Any, ours: type[nn.Module], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(plain)
    x = torch.randn(shape, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weights = list(network.parameters())
    expected = network(x)
    slopes = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [x, *weights], slopes)
    names = list(network.state_dict())
    subsample_first(network)
    assert type(network[0]) is ours
    assert list(network.state_dict()) == names
    assert all(a is b for a, b in zip(network.parameters(), weights, strict=True))
    found = network(y)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    for got, want in zip(torch.autograd.grad(found, [y, *weights], slopes), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_other_convolutions_stay() -> None:
    parts = [
        nn.Conv2d(3, 4, 1),
        nn.Conv2d(4, 4, 3, stride=2),
        nn.Conv2d(4, 4, 1, stride=2, padding=1),
        nn.ConvTranspose2d(4, 4, 1, stride=2),
    ]
    network = nn.Sequential(*parts)
    subsample_first(network)
    assert all(a is b for a, b in zip(network, parts, strict=True))


def networks() -> dict[str, Any]:
    """Every network here that is made of residual blocks or taken from torchvision."""
    found: dict[str, Any] = {name: lambda n=name: build_encoder(n, width=8) for name in ENCODERS}
    return found | {
        "plain trunk": lambda: build_network("plain", 16, seed=0),
        "2d3d": lambda: ResNet2d3d(width=8),
        "faster r-cnn": lambda: build_detector("resnet18", 2, width=8),
        "encoder": lambda: TorchvisionEncoder("regnet_y_400mf"),
        "trunk": lambda: TorchvisionTrunk("resnet18"),
    }


@pytest.mark.parametrize("name", networks())
def test_no_network_of_ours_has_torchs_own(name: str) -> None:
    network = networks()[name]()
    strided = [
        part
        for part in network.modules()
        if isinstance(part, nn.Conv2d | nn.Conv3d)
        and set(part.kernel_size) == {1}
        and max(part.stride) > 1
    ]
    assert all(isinstance(part, PointwiseConv2d | PointwiseConv3d) for part in strided)


def test_weights_are_drawn_as_torch_draws_them() -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(3, 4, 1, stride=2)
    torch.manual_seed(0)
    assert torch.equal(PointwiseConv2d(3, 4, 1, stride=2).weight, plain.weight)
    state = torch.get_rng_state()
    subsample_first(nn.Sequential(plain))
    assert torch.equal(torch.get_rng_state(), state)
