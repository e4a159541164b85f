"""The structure head's losses against loops over single logits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.objectives import structure_d, structure_g


def logits_of(seed: int, shape: tuple[int, ...]) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3)]


def mean_softplus(logits: Tensor, sign: float) -> float:
    values = [math.log1p(math.exp(sign * float(x))) for x in logits.flatten()]
    return sum(values) / len(values)


@given(seed=st.integers(0, 2**16), shape=st.sampled_from([(1,), (5,), (3, 1, 2, 4)]))
@settings(deadline=None, max_examples=25)
def test_they_are_logistic_losses(seed: int, shape: tuple[int, ...]) -> None:
    real, negative, null = logits_of(seed, shape)
    of_negative = mean_softplus(negative, 1)
    of_real, of_null = mean_softplus(real, -1), mean_softplus(null, -1)
    loss = structure_d(real, negative, null)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(of_negative + of_real / 2 + of_null / 2)
    assert float(structure_d(real, negative)) == pytest.approx(of_negative + of_real)
    assert float(structure_g(real)) == pytest.approx(of_real)


def test_gradients_are_those_of_the_formula() -> None:
    logits = [x.requires_grad_() for x in logits_of(2, (4,))]
    assert torch.autograd.gradcheck(structure_d, logits)
    assert torch.autograd.gradcheck(structure_g, logits[:1])


def test_large_logits_give_no_infinity() -> None:
    large = torch.tensor([1e4, -1e4])
    assert structure_d(large, large, large).isfinite()
    assert structure_g(large).isfinite()
