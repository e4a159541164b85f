"""BigGAN: the published sizes, shapes, and what conditioning means."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from nda.errors import ConfigError
from nda.networks.biggan import RESOLUTIONS, Discriminator, DownBlock, Generator
from tests.support.defaults import defaults_of_module
from tests.support.elsewhere import ELSEWHERE, made_by


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("classes", "generator", "discriminator"),
    [(1, 4_276_739, 4_205_057), (10, 4_304_387, 4_207_361)],
)
def test_full_size_networks_count_as_published(
    classes: int, generator: int, discriminator: int
) -> None:
    assert parameters(Generator(32, classes=classes)) == generator
    assert parameters(Discriminator(32, classes=classes)) == discriminator


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("classes", [1, 3])
def test_images_and_logits_have_their_shapes(resolution: int, classes: int) -> None:
    rng = Generator(resolution, width=8, classes=classes)
    discriminator = Discriminator(resolution, width=8, classes=classes)
    labels = torch.arange(2) % classes
    images = rng(torch.randn(2, 128), labels)
    assert images.shape == (2, 3, resolution, resolution)
    assert images.abs().max() <= 1
    logits = discriminator(images, labels)
    assert logits.shape == (2,)
    logits.sum().backward()
    for name, parameter in [*rng.named_parameters(), *discriminator.named_parameters()]:
        assert parameter.grad is not None, name


def channels_of(blocks: Any) -> list[tuple[int, int]]:
    return [
        (block.conv1.in_channels, block.conv1.out_channels)
        for block in blocks
        if hasattr(block, "conv1")
    ]


@pytest.mark.parametrize(
    ("resolution", "generator", "discriminator"),
    [
        (32, [(4, 4), (4, 4), (4, 4)], [(4, True), (4, True), (4, False), (4, False)]),
        (
            64,
            [(16, 16), (16, 8), (8, 4), (4, 2)],
            [(1, True), (2, True), (4, True), (8, True), (16, False)],
        ),
        (
            128,
            [(16, 16), (16, 8), (8, 4), (4, 2), (2, 1)],
            [(1, True), (2, True), (4, True), (8, True), (16, True), (16, False)],
        ),
    ],
)
def test_blocks_are_as_wide_as_published(
    resolution: int, generator: list[tuple[int, int]], discriminator: list[tuple[int, bool]]
) -> None:
    """In units of the width."""
    with ELSEWHERE:
        made, judge = Generator(resolution, width=8), Discriminator(resolution, width=8)
    assert channels_of(made.blocks) == [(8 * a, 8 * b) for a, b in generator]
    widths = [3, *(8 * multiple for multiple, _ in discriminator)]
    assert channels_of(judge.blocks) == [*pairwise(widths)]
    halving = [each.halves for each in judge.blocks if isinstance(each, DownBlock)]
    assert halving == [halves for _, halves in discriminator]


def test_defaults_are_the_settings_of_the_paper() -> None:
    assert defaults_of_module("nda.networks.biggan") == {
        "Generator": {"resolution": 32, "width": 64, "classes": 1, "latent_dim": 128},
        "Discriminator": {"resolution": 32, "width": 64, "classes": 1},
    }
    assert RESOLUTIONS == (32, 64, 128)
    layer: Any = Generator(width=1).linear
    assert layer.parametrizations.weight[0].eps == 1e-8


def test_everything_is_made_where_the_network_is() -> None:
    with ELSEWHERE:
        made, judge = Generator(64, width=8), Discriminator(64, width=8)
    latents = torch.zeros(2, 128, device=ELSEWHERE)
    assert made_by(lambda: judge(made(latents))).everything == {"meta"}


def test_every_layer_of_the_discriminator_is_normed() -> None:
    discriminator = Discriminator(32, width=8, classes=3).eval()
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            assert hasattr(module, "parametrizations")
    discriminator.train()  # power iterations only happen in training
    for _ in range(200):
        discriminator(torch.zeros(2, 3, 32, 32), torch.zeros(2, dtype=torch.long))
    discriminator.eval()
    linear = discriminator.linear
    assert isinstance(linear, nn.Linear)
    matrix = linear.weight.detach()
    assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, abs=1e-3)


def test_labels_change_what_is_generated_and_how_it_is_judged() -> None:
    torch.manual_seed(0)
    rng = Generator(32, width=8, classes=2)
    discriminator = Discriminator(32, width=8, classes=2)
    latents = torch.randn(4, 128)
    zeros, ones = torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long)
    images = rng(latents, zeros)
    assert not torch.equal(images, rng(latents, ones))
    assert not torch.equal(discriminator(images, zeros), discriminator(images, ones))


def test_unconditional_networks_need_no_labels_and_conditional_ones_do() -> None:
    assert Generator(32, width=8)(torch.randn(2, 128)).shape == (2, 3, 32, 32)
    with pytest.raises(ConfigError, match="2 classes needs labels"):
        Generator(32, width=8, classes=2)(torch.randn(2, 128))


def test_initial_weights_have_the_published_spread() -> None:
    rng = Generator(32)
    spread = rng.state_dict()["blocks.0.conv1.parametrizations.weight.original"].std().item()
    assert spread == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 48}, "32, 64, 128 pixels, not for 48"),
        ({"width": 0}, r"width \(0\)"),
        ({"classes": 0}, r"classes \(0\)"),
        ({"resolution": 64, "width": 4}, "needs at least 8"),
    ],
)
def test_impossible_sizes_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Generator(**arguments)
    with pytest.raises(ConfigError, match=message):
        Discriminator(**arguments)
