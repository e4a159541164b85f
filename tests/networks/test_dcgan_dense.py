"""The small discriminator that can count: its shapes, and what the plain one cannot learn."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.networks import dcgan


def test_a_logit_an_image_and_a_gradient_a_weight() -> None:
    discriminator = dcgan.DenseDiscriminator(24, width=4)
    logits = discriminator(torch.randn(3, 3, 24, 24))
    assert logits.shape == (3,)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


def squares(counts: Tensor, rng: torch.Generator) -> Tensor:
    """Images (N, 3, 48, 48) of so many white squares at places of a 3 x 3 grid."""
    places = torch.rand(len(counts), 9, generator=rng).argsort(1).argsort(1) < counts[:, None]
    grid = places.view(-1, 1, 3, 3).float()
    return F.interpolate(grid, scale_factor=16).expand(-1, 3, -1, -1) * 2 - 1


def accuracy(discriminator: nn.Module) -> float:
    """After a short training, the share of images of 2 squares told from those of 1 and 3."""
    rng = torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    right = torch.tensor([1.0, 0.0]).repeat(32)
    for _ in range(150):
        wrong = 1 + 2 * torch.randint(2, (64,), generator=rng)
        counts = torch.where(right > 0, 2, wrong)
        loss = F.binary_cross_entropy_with_logits(discriminator(squares(counts, rng)), right)
        adam.zero_grad()
        loss.backward()
        adam.step()
    counts = torch.tensor([1, 2, 2, 3]).repeat(50)
    with torch.no_grad():
        told = discriminator.eval()(squares(counts, rng)) > 0
    return float((told == (counts == 2)).double().mean())


@pytest.mark.slow
def test_it_learns_a_count_between_others_and_the_plain_one_does_not() -> None:
    torch.manual_seed(0)
    able, plain = (
        accuracy(kind(48, width=4)) for kind in (dcgan.DenseDiscriminator, dcgan.Discriminator)
    )
    assert able > 0.95
    assert plain < 0.85
