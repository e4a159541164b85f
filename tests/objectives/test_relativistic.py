"""Paired relativistic losses against loops over pairs."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ShapeError
from nda.objectives import relativistic_d, relativistic_g


def logits_of(seed: int, shape: tuple[int, ...]) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3)]


def naive(upper: Tensor, lower: Tensor) -> float:
    pairs = zip(upper.flatten().tolist(), lower.flatten().tolist(), strict=True)
    return sum(math.log1p(math.exp(b - a)) for a, b in pairs) / upper.numel()


@given(
    seed=st.integers(0, 2**16),
    shape=st.sampled_from([(1,), (5,), (3, 1, 2, 4)]),
    weight=st.floats(0, 3),
)
@settings(deadline=None, max_examples=25)
def test_they_compare_pair_by_pair(seed: int, shape: tuple[int, ...], weight: float) -> None:
    real, fake, negative = logits_of(seed, shape)
    loss = relativistic_d(real, fake, negative, negative_weight=weight)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(naive(real, fake) + weight * naive(real, negative))
    evenly = naive(real, fake) + naive(real, negative)
    assert float(relativistic_d(real, fake, negative)) == pytest.approx(evenly)
    assert float(relativistic_d(real, fake)) == pytest.approx(naive(real, fake))
    assert float(relativistic_g(fake, real)) == pytest.approx(naive(fake, real))


def test_gradients_are_those_of_the_formula() -> None:
    parts = [part.requires_grad_() for part in logits_of(2, (4,))]
    assert torch.autograd.gradcheck(lambda *x: relativistic_d(*x, negative_weight=0.4), parts)
    assert torch.autograd.gradcheck(relativistic_g, parts[:2])


def test_what_all_logits_or_a_pair_have_in_common_cancels() -> None:
    real, fake, negative = logits_of(3, (6,))
    loss = relativistic_d(real, fake, negative)
    torch.testing.assert_close(relativistic_d(real + 7, fake + 7, negative + 7), loss)
    content = torch.randn(6, dtype=torch.float64)
    torch.testing.assert_close(
        relativistic_d(real + content, fake + content, negative + content), loss
    )


def test_logits_without_partners_are_refused() -> None:
    for other in (torch.zeros(3), torch.zeros(4, 1)):
        with pytest.raises(ShapeError, match="pair by pair"):
            relativistic_d(torch.zeros(4), other)
