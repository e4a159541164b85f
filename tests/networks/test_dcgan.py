"""The small network: shapes, gradients, sizes it refuses."""

from __future__ import annotations

import pytest
import torch

from nda.errors import ConfigError
from nda.networks.dcgan import Discriminator, Generator


@pytest.mark.parametrize("resolution", [8, 24, 32])
def test_images_and_logits_have_their_shapes(resolution: int) -> None:
    generator, discriminator = Generator(resolution, width=4), Discriminator(resolution, width=4)
    images = generator(torch.randn(3, 128))
    assert images.shape == (3, 3, resolution, resolution)
    assert images.abs().max() <= 1
    logits = discriminator(images)
    assert logits.shape == (3,)
    logits.sum().backward()
    assert all(p.grad is not None for p in [*generator.parameters(), *discriminator.parameters()])


@pytest.mark.parametrize("resolution", [0, 4, 20])
def test_sizes_that_cannot_be_halved_three_times_are_refused(resolution: int) -> None:
    with pytest.raises(ConfigError, match=f"multiple of 8, not {resolution}"):
        Generator(resolution)
