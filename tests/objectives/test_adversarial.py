"""Adversarial losses against loops over single logits, written from the paper's equations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda import objectives
from nda.errors import ConfigError, ShapeError
from nda.objectives import adversarial
from nda.recipes.pix2pix.config import Pix2PixConfig

Point = Callable[[float], float]

# Loss of a real logit, of another logit, of the generator; and a factor in front.
FAMILIES: dict[str, tuple[Point, Point, Point, float]] = {
    "hinge": (lambda x: max(0, 1 - x), lambda x: max(0, 1 + x), lambda x: -x, 1.0),
    "logistic": (
        lambda x: math.log1p(math.exp(-x)),
        lambda x: math.log1p(math.exp(x)),
        lambda x: math.log1p(math.exp(-x)),
        1.0,
    ),
    "least_squares": (lambda x: (x - 1) ** 2, lambda x: x**2, lambda x: (x - 1) ** 2, 0.5),
    "wasserstein": (lambda x: -x, lambda x: x, lambda x: -x, 1.0),
}


def naive_mean(loss: Point, logits: Tensor) -> float:
    values = [loss(float(x)) for x in logits.flatten()]
    return sum(values) / len(values)


def logits_of(seed: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return tuple(3 * torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3))  # type: ignore[return-value]


@pytest.mark.parametrize("family", FAMILIES)
@given(
    seed=st.integers(0, 2**16),
    shape=st.sampled_from([(1,), (5,), (3, 1, 2, 4)]),
    weight=st.floats(0, 1),
)
@settings(deadline=None, max_examples=25)
def test_discriminator_loss_is_equation_3(
    family: str, seed: int, shape: tuple[int, ...], weight: float
) -> None:
    real, fake, negative = logits_of(seed, shape)
    of_real, of_other, _, factor = FAMILIES[family]
    expected = factor * (
        naive_mean(of_real, real)
        + weight * naive_mean(of_other, fake)
        + (1 - weight) * naive_mean(of_other, negative)
    )
    loss = getattr(objectives, f"{family}_d")(real, fake, negative, fake_weight=weight)
    assert loss.shape == ()
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_negatives_it_is_the_plain_gan(family: str) -> None:
    real, fake, _ = logits_of(1, (7,))
    of_real, of_other, of_generator, factor = FAMILIES[family]
    expected = factor * (naive_mean(of_real, real) + naive_mean(of_other, fake))
    loss = getattr(objectives, f"{family}_d")(real, fake, fake_weight=0.3)
    assert float(loss) == pytest.approx(expected)
    generator_loss = getattr(objectives, f"{family}_g")(fake)
    assert float(generator_loss) == pytest.approx(factor * naive_mean(of_generator, fake))


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_those_of_the_formula(family: str) -> None:
    logits = [x.requires_grad_() for x in logits_of(2, (4,))]
    loss_d, loss_g = getattr(objectives, f"{family}_d"), getattr(objectives, f"{family}_g")
    assert torch.autograd.gradcheck(lambda r, f, n: loss_d(r, f, n, fake_weight=0.4), logits)
    assert torch.autograd.gradcheck(loss_g, (logits[0],))


@given(seed=st.integers(0, 2**16), weight=st.floats(0.01, 1))
@settings(deadline=None, max_examples=25)
def test_a_corrected_prior_takes_the_log_of_1_over_lambda_off_the_logits(
    seed: int, weight: float
) -> None:
    (fake, *_) = logits_of(seed, (5,))
    expected = naive_mean(lambda x: math.log1p(math.exp(-x) / weight), fake)
    loss = objectives.prior_corrected_g(fake, fake_weight=weight)
    assert float(loss) == pytest.approx(expected)
    changing = torch.tensor(weight, dtype=torch.float64)
    torch.testing.assert_close(objectives.prior_corrected_g(fake, fake_weight=changing), loss)
    torch.testing.assert_close(
        objectives.prior_corrected_g(fake, fake_weight=1.0), objectives.logistic_g(fake)
    )


def test_the_gradient_of_a_corrected_prior() -> None:
    fake = logits_of(4, (4,))[0].requires_grad_()
    assert torch.autograd.gradcheck(objectives.prior_corrected_g, (fake,))


def test_nothing_is_corrected_without_generated_samples() -> None:
    with pytest.raises(ConfigError, match=r"fake_weight \(λ\) is 0, so .* no prior to correct"):
        objectives.prior_corrected_g(torch.zeros(3), fake_weight=0.0)
    with pytest.raises(ConfigError, match="fake_weight"):
        objectives.prior_corrected_g(torch.zeros(3), fake_weight=-1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_lambda_may_be_a_tensor(family: str) -> None:
    real, fake, negative = logits_of(5, (6,))
    loss = getattr(objectives, f"{family}_d")
    expected = loss(real, fake, negative, fake_weight=0.7)
    weight = torch.tensor(0.7, dtype=torch.float64)
    torch.testing.assert_close(loss(real, fake, negative, fake_weight=weight), expected)


def test_sampled_mixture_has_the_weighted_loss_as_its_expectation() -> None:
    real, fake, negative = logits_of(3, (50,))
    weighted = objectives.hinge_d(real, fake, negative, fake_weight=0.25)
    rng = torch.Generator().manual_seed(0)
    sampled = torch.stack(
        [
            objectives.hinge_d(
                real, objectives.sample_mixture(fake, negative, fake_weight=0.25, generator=rng)
            )
            for _ in range(4000)
        ]
    )
    error = sampled.std() / math.sqrt(len(sampled))
    assert abs(sampled.mean() - weighted) < 4 * error


def test_sampled_mixture_takes_whole_samples_from_either_side() -> None:
    fake, negative = torch.zeros(2000, 3, 2, 2), torch.ones(2000, 3, 2, 2)
    rng = torch.Generator().manual_seed(0)
    mixed = objectives.sample_mixture(fake, negative, fake_weight=0.25, generator=rng)
    share = mixed.flatten(1).mean(dim=1)
    assert set(share.tolist()) == {0.0, 1.0}
    assert float(1 - share.mean()) == pytest.approx(0.25, abs=0.04)
    again = torch.Generator().manual_seed(0)
    same = objectives.sample_mixture(fake, negative, fake_weight=0.25, generator=again)
    assert torch.equal(mixed, same)
    assert mixed.shape == fake.shape


@pytest.mark.parametrize(("weight", "expected"), [(0.0, 1.0), (0.25, 1.0), (0.2500001, 0.0)])
def test_a_sample_is_generated_where_its_draw_lies_below_the_weight(
    weight: float, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = torch.full((2,), min(weight, 0.25))
    monkeypatch.setattr(torch, "rand", lambda *_, **__: draw)
    mixed = objectives.sample_mixture(torch.zeros(2), torch.ones(2), fake_weight=weight)
    assert mixed.tolist() == [expected, expected]


def test_each_name_in_settings_is_that_of_its_losses() -> None:
    names = get_args(get_type_hints(Pix2PixConfig)["objective"])
    assert {
        name: (getattr(objectives, f"{name}_d"), getattr(objectives, f"{name}_g")) for name in names
    } == adversarial.LOSSES


@pytest.mark.parametrize("weight", [-0.1, 1.5, float("nan")])
def test_weight_outside_0_to_1_is_refused(weight: float) -> None:
    logits = torch.zeros(3)
    with pytest.raises(ConfigError, match=r"fake_weight \(λ\) is .* between 0 and 1"):
        objectives.hinge_d(logits, logits, logits, fake_weight=weight)
    with pytest.raises(ConfigError, match="fake_weight"):
        objectives.sample_mixture(logits, logits, fake_weight=weight)


def test_mixture_of_different_shapes_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"as many negatives as generated.*\(3,\) and \(4,\)"):
        objectives.sample_mixture(torch.zeros(4), torch.zeros(3))


@pytest.mark.parametrize(
    "loss",
    [
        adversarial.hinge_d,
        adversarial.logistic_d,
        adversarial.least_squares_d,
        adversarial.wasserstein_d,
    ],
)
def test_a_quarter_of_the_mixture_is_generated_unless_told_otherwise(loss: Any) -> None:
    real, fake, negative = (torch.tensor([value]) for value in (0.3, -0.2, 0.6))
    assert loss(real, fake, negative) == loss(real, fake, negative, fake_weight=0.25)
