"""Two heads on one discriminator: the first gives what it gave, the second is a perceptron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from nda.networks import biggan, dcgan, wgan_gp
from nda.networks.heads.structure import StructureHead, TwoHeads

KINDS: dict[str, Callable[[], Any]] = {
    "biggan": lambda: biggan.Discriminator(32, width=4, classes=3),
    "biggan of 64 pixels": lambda: biggan.Discriminator(64, width=8, classes=3),
    "dcgan": lambda: dcgan.Discriminator(32, width=2),
    "dcgan_dense": lambda: dcgan.DenseDiscriminator(32, width=2),
    "wgan_gp": lambda: wgan_gp.Discriminator(16, width=2),
}


@pytest.fixture(params=KINDS)
def discriminator(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return KINDS[request.param]().eval()


def test_the_first_head_is_the_discriminators_own(discriminator: Any) -> None:
    side = discriminator.resolution
    images, labels = torch.rand(3, 3, side, side) * 2 - 1, torch.arange(3)
    two = TwoHeads(discriminator).eval()
    alone = discriminator(images, labels)
    assert alone.shape == (3,)
    assert torch.equal(two(images, labels), alone)
    logits, structure = two(images, labels, structure=True)
    assert torch.equal(logits, alone)
    features = discriminator.features(images)
    first: Any = two.head.hidden
    second: Any = two.head.linear
    hidden = (features @ first.weight.mT + first.bias).clamp(min=0)
    expected = hidden @ second.weight.mT[:, 0] + second.bias
    torch.testing.assert_close(structure, expected)
    for weight in (first.weight, second.weight):
        assert float(torch.linalg.matrix_norm(weight.detach(), 2)) == pytest.approx(1, abs=0.3)


def test_both_heads_together_reach_every_parameter(discriminator: Any) -> None:
    side = discriminator.resolution
    two = TwoHeads(discriminator).train()
    logits, structure = two(torch.rand(3, 3, side, side), torch.arange(3), structure=True)
    torch.autograd.backward(logits.sum() + structure.sum())
    assert all(parameter.grad is not None for parameter in two.parameters())


def test_the_head_is_bounded_however_many_features_it_reads() -> None:
    assert StructureHead(32).hidden.out_features == 32
    assert StructureHead(5000).hidden.out_features == 256
