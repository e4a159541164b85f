"""2D3D-ResNets: the published shapes and layers, and what the two halves see."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nda.errors import ConfigError, ShapeError
from nda.networks.resnet2d3d import ResNet2d3d


def blocks(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(
    ("name", "weights"),
    # Of the published networks, counted layer by layer: stem, stages 1 to 4.
    [
        (
            "resnet18",
            3 * 64 * 49
            + 4 * 64 * 64 * 9
            + (64 * 128 + 3 * 128 * 128) * 9
            + 64 * 128
            + (128 * 256 + 3 * 256 * 256) * 27
            + 128 * 256
            + 4 * 256 * 256 * 27
            + 256 * 256,
        ),
        (
            "resnet34",
            3 * 64 * 49
            + 6 * 64 * 64 * 9
            + (64 * 128 + 7 * 128 * 128) * 9
            + 64 * 128
            + (128 * 256 + 11 * 256 * 256) * 27
            + 128 * 256
            + 6 * 256 * 256 * 27
            + 256 * 256,
        ),
    ],
)
def test_the_published_networks_have_the_published_weights(name: str, weights: int) -> None:
    network = ResNet2d3d(name)
    kernels = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Conv3d)]
    assert sum(part.weight.numel() for part in kernels) == weights
    assert all(part.bias is None for part in kernels)
    assert network.features == 256


@pytest.mark.parametrize("frames", [1, 4, 5, 8])
@pytest.mark.parametrize("side", [(32, 32), (64, 64), (33, 96)])
def test_maps_are_as_large_as_foretold(frames: int, side: tuple[int, int]) -> None:
    network = ResNet2d3d(width=8).eval()
    size = ResNet2d3d.map_size(frames, *side)
    assert network(blocks(2, 3, frames, *side)).shape == (2, 32, *size)


def test_a_block_of_the_published_task_is_four_by_four() -> None:
    assert ResNet2d3d.map_size(5, 128, 128) == (2, 4, 4)
    with torch.no_grad():
        assert ResNet2d3d().eval()(blocks(1, 3, 5, 128, 128)).shape == (1, 256, 2, 4, 4)


def test_the_first_half_sees_single_frames_and_the_second_motion() -> None:
    network = ResNet2d3d(width=8).eval()
    x = blocks(1, 3, 5, 32, 32)
    other = x.clone()
    other[:, :, 4] = blocks(1, 3, 32, 32, seed=1)
    seen: list[torch.Tensor] = []
    network.layer2.register_forward_hook(lambda module, inputs, output: seen.append(output))
    first, second = network(x), network(other)
    assert torch.equal(seen[0][:4], seen[1][:4])
    assert not torch.allclose(seen[0][4], seen[1][4])
    assert not torch.allclose(first[:, :, 0], second[:, :, 0])


def test_frames_one_by_one_are_as_convolutions_of_one_frame_in_time() -> None:
    network = ResNet2d3d(width=8).eval()
    x = blocks(2, 3, 4, 32, 32)
    conv: nn.Conv2d = network.stem[0]  # type: ignore[assignment]
    in_time = nn.functional.conv3d(x, conv.weight[:, :, None], stride=(1, 2, 2), padding=(0, 3, 3))
    by_frame = conv(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(by_frame, in_time)


def test_features_have_either_sign() -> None:
    found = ResNet2d3d(width=8).eval()(blocks(2, 3, 5, 32, 32))
    assert float((found < 0).float().mean()) > 0.1
    assert float((found > 0).float().mean()) > 0.1


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="network is 'resnet50'; give one of resnet18, resnet34"):
        ResNet2d3d("resnet50")
    with pytest.raises(ConfigError, match="width is 0; it must be at least 1"):
        ResNet2d3d(width=0)
    with pytest.raises(ShapeError, match=r"takes blocks of frames \(M, 3, T, H, W\); got \(2, 5"):
        ResNet2d3d(width=8)(blocks(2, 5, 3, 32, 32))
