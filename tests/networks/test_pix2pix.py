"""The networks of pix2pix: shapes, the patch that a logit sees, parameters, initial weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from nda.errors import ConfigError
from nda.networks.pix2pix import PATCHES, RESOLUTIONS, Generator, Norm, PatchDiscriminator


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_images_become_images_of_the_same_size(resolution: int, norm: Norm) -> None:
    x = torch.randn(1, 3, resolution, resolution)
    y = Generator(resolution, width=2, norm=norm)(x)
    assert y.shape == x.shape
    assert y.abs().max() <= 1


def test_the_features_go_down_to_a_single_place() -> None:
    network = Generator(256, width=2)
    assert len(network.down) == 8
    x, sizes = torch.randn(1, 3, 256, 256), []
    for block in network.down:
        x = block(x)
        sizes.append(tuple(x.shape[1:]))
    assert sizes == [(2, 128, 128), (4, 64, 64), (8, 32, 32), (16, 16, 16), (16, 8, 8),
                     (16, 4, 4), (16, 2, 2), (16, 1, 1)]  # fmt: skip


def test_full_size_has_the_published_number_of_parameters() -> None:
    """Counted by the layers that the paper's appendix lists, C64-C128-...-C64."""
    channels = [64, 128, 256, 512, 512, 512, 512, 512]
    total = 0
    for level, after in enumerate(channels):
        before = channels[level - 1] if level else 3
        normed = 0 < level < 7
        total += 16 * before * after + (2 * after if normed else after)
    for level in reversed(range(1, 8)):
        joined = channels[7] if level == 7 else 2 * channels[level]
        total += 16 * joined * channels[level - 1] + 2 * channels[level - 1]
    total += 16 * 128 * 3 + 3
    assert sum(p.numel() for p in Generator(256).parameters()) == total
    # C64-C128-C256-C512 and a last convolution, on six channels.
    patch = 16 * 6 * 64 + 64
    for before, after in ((64, 128), (128, 256), (256, 512)):
        patch += 16 * before * after + 2 * after
    patch += 16 * 512 + 1
    assert sum(p.numel() for p in PatchDiscriminator().parameters()) == patch


@pytest.mark.parametrize("patch", PATCHES)
def test_a_logit_sees_a_patch_of_this_side(patch: int) -> None:
    """By the gradient of the middle logit, without norms, which see all of an image."""
    network = PatchDiscriminator(width=2, patch=patch).double()
    for place, module in enumerate(network.layers):
        if isinstance(module, nn.BatchNorm2d):
            network.layers[place] = nn.Identity()
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1.0)
        if isinstance(module, nn.LeakyReLU):
            module.negative_slope = 1.0  # no place may be switched off
    x = torch.zeros(1, 3, 256, 256, dtype=torch.float64, requires_grad=True)
    logits = network(torch.zeros_like(x), x)
    assert logits.shape[:2] == (1, 1)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    assert x.grad is not None
    seen = x.grad[0, 0] != 0
    for axis in (0, 1):
        assert int(seen.any(dim=axis).sum()) == patch


def test_the_published_discriminator_gives_30_by_30_logits() -> None:
    x = torch.randn(1, 3, 256, 256)
    assert PatchDiscriminator(width=2)(x, x).shape == (1, 1, 30, 30)


def test_both_images_of_a_pair_matter() -> None:
    network = PatchDiscriminator(width=2, norm="instance")
    x, y = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64)
    assert not torch.equal(network(x, y), network(y, x))


@pytest.mark.parametrize("build", [lambda: Generator(64), PatchDiscriminator])
def test_initial_weights_are_of_the_published_spread(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    for module in build().modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 4000:
            assert abs(float(module.weight.detach().mean())) < 0.002
            assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        if isinstance(module, nn.BatchNorm2d) and module.num_features >= 256:
            assert float(module.weight.detach().mean()) == pytest.approx(1, abs=0.01)
            assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.3)
            assert float(module.bias.detach().abs().max()) == 0


def test_dropout_is_the_noise_of_the_three_innermost_blocks() -> None:
    network = Generator(256, width=2)
    dropped = [any(isinstance(m, nn.Dropout) for m in block.modules()) for block in network.up]
    assert dropped == [True] * 3 + [False] * 4
    x = torch.randn(1, 3, 256, 256)
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_lone_image_is_normalised_by_itself_in_training_and_after(norm: Norm) -> None:
    network = Generator(64, width=2, norm=norm)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network.train()(x), network.eval()(x))


def test_what_the_networks_cannot_take_is_refused() -> None:
    with pytest.raises(ConfigError, match="resolution is 96; the networks of pix2pix take 64, 128"):
        Generator(96)
    with pytest.raises(ConfigError, match="width is 0; it must be at least 1"):
        Generator(64, width=0)
    with pytest.raises(ConfigError, match="width is 0; it must be at least 1"):
        PatchDiscriminator(width=0)
    with pytest.raises(ConfigError, match="patch is 71; it must be 16, 34 or 70"):
        PatchDiscriminator(patch=71)
