"""Three classes against loops over single logits, and as the plain GAN's loss beside another."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ShapeError
from nda.objectives import logistic_d, logistic_g, three_class_d, three_class_g
from nda.objectives.three_class import no_negative

SHAPES = st.sampled_from([(1, 3), (5, 3), (2, 3, 2, 4)])


def logits_of(seed: int, shape: tuple[int, ...]) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [3 * torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3)]


def naive(logits: Tensor, index: int) -> float:
    """Mean cross entropy, a sample and place at a time."""
    rows = logits.movedim(1, -1).reshape(-1, 3).tolist()
    return sum(math.log(sum(map(math.exp, row))) - row[index] for row in rows) / len(rows)


@given(seed=st.integers(0, 2**16), shape=SHAPES, weight=st.floats(0, 3))
@settings(deadline=None, max_examples=25)
def test_it_is_cross_entropy(seed: int, shape: tuple[int, ...], weight: float) -> None:
    parts = logits_of(seed, shape)
    expected = naive(parts[0], 0) + naive(parts[1], 1) + weight * naive(parts[2], 2)
    loss = three_class_d(*parts, negative_weight=weight)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)
    evenly = naive(parts[0], 0) + naive(parts[1], 1) + naive(parts[2], 2)
    assert float(three_class_d(*parts)) == pytest.approx(evenly)


@given(seed=st.integers(0, 2**16), shape=SHAPES, weight=st.floats(0, 3))
@settings(deadline=None, max_examples=25)
def test_it_is_the_plain_gans_loss_plus_that_of_negatives_against_the_rest(
    seed: int, shape: tuple[int, ...], weight: float
) -> None:
    parts = logits_of(seed, shape)
    game = [part[:, 0] - part[:, 1] for part in parts]
    rest = [no_negative(part) for part in parts]
    negatives = logistic_g(rest[0]) + logistic_g(rest[1]) + weight * logistic_g(-rest[2])
    expected = logistic_d(game[0], game[1]) + negatives
    torch.testing.assert_close(three_class_d(*parts, negative_weight=weight), expected)
    torch.testing.assert_close(three_class_g(parts[1]), logistic_g(game[1]))


def test_gradients_are_those_of_the_formula_and_the_generator_ignores_negatives() -> None:
    parts = [part.requires_grad_() for part in logits_of(2, (4, 3))]
    assert torch.autograd.gradcheck(lambda *x: three_class_d(*x, negative_weight=0.4), parts)
    assert torch.autograd.gradcheck(three_class_g, parts[:1])
    (slope,) = torch.autograd.grad(three_class_g(parts[1]), parts[1])
    assert (slope[:, 2] == 0).all()
    assert (slope[:, :2] != 0).all()


def test_large_logits_give_no_infinity() -> None:
    large = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])
    assert three_class_d(large, large, large).isfinite()
    assert three_class_g(large).isfinite()


@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_other_logits_are_refused(shape: tuple[int, ...]) -> None:
    logits = torch.zeros(shape)
    with pytest.raises(ShapeError, match=r"three classes .* along dimension 1"):
        three_class_d(logits, logits, logits)
    with pytest.raises(ShapeError, match=r"three classes .* along dimension 1"):
        three_class_g(logits)
