"""The residual networks of WGAN-GP: shapes, size by hand, and a critic that a penalty can train."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from nda.errors import ConfigError
from nda.networks.wgan_gp import Discriminator, Generator
from nda.objectives import gradient_penalty


@pytest.mark.parametrize("resolution", [8, 32, 64])
def test_images_and_values_have_their_shapes(resolution: int) -> None:
    generator, critic = Generator(resolution, width=2), Discriminator(resolution, width=2)
    images = generator(torch.randn(3, 128))
    assert images.shape == (3, 3, resolution, resolution)
    assert images.abs().max() <= 1
    values = critic(images)
    assert values.shape == (3,)
    values.sum().backward()
    assert all(p.grad is not None for p in [*generator.parameters(), *critic.parameters()])


def conv(inputs: int, outputs: int, side: int, *, bias: bool = True) -> int:
    return inputs * outputs * side * side + outputs * bias


def test_the_authors_size_at_64_pixels() -> None:
    up = [512, 512, 256, 128, 64]  # channels; the critic's are the same backwards
    generator = 128 * 512 * 16 + 512 * 16 + 2 * 64 + conv(64, 3, 3)
    critic = conv(3, 64, 3) + 512 * 16 + 1
    for a, b in pairwise(up):
        generator += 2 * a + conv(a, b, 3, bias=False) + 2 * b + conv(b, b, 3) + conv(a, b, 1)
        critic += 4 * b + conv(b, b, 3, bias=False) + conv(b, a, 3) + conv(b, a, 1)
    networks = (Generator(64), Discriminator(64))
    sizes = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert sizes == [generator, critic]


def test_the_critics_value_of_an_image_is_its_own() -> None:
    critic = Discriminator(16, width=2).train()
    images = torch.randn(5, 3, 16, 16)
    alone = torch.cat([critic(image[None]) for image in images])
    torch.testing.assert_close(critic(images), alone)


def test_the_gradient_penalty_teaches_every_weight_of_the_critic() -> None:
    critic = Discriminator(8, width=4)
    penalty = gradient_penalty(critic, torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8))
    penalty.backward()
    for name, parameter in critic.named_parameters():
        if parameter.dim() > 1:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("resolution", [0, 4, 24, 48])
def test_other_sizes_are_refused(resolution: int) -> None:
    for network in (Generator, Discriminator):
        with pytest.raises(ConfigError, match=f"8, 16, 32, 64, ..., not {resolution}; choose"):
            network(resolution)


def test_a_width_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="width is 0; it must be at least 1"):
        Generator(32, width=0)
