"""Theorem 1: divergences, optima and the library's losses, each against another way to get it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import nda

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import theorem_gan as theorem

P = theorem.shares(theorem.DATA)
SUPPORT = P > 0
WEIGHTS = (0.1, 0.25, 0.75)

# f of D_f(p || m) = sum m f(p / m), as in the table of Nowozin et al. (2016), each with f(1) = 0.
GENERATORS_OF_F: dict[str, Callable[[float], float]] = {
    "GAN (2 x Jensen-Shannon)": lambda u: u * math.log(u) - (u + 1) * math.log((u + 1) / 2),
    "least-squares GAN": lambda u: (u - 1) ** 2 / (8 * (u + 1)),
    "KL(p || m)": lambda u: u * math.log(u),
    "Pearson chi-squared": lambda u: (u - 1) ** 2,
    "squared Hellinger": lambda u: (math.sqrt(u) - 1) ** 2,
}


def random_distribution(seed: int, n: int = len(P)) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(n, generator=rng, dtype=torch.float64)).softmax(0)


def random_counts(seed: int, most: Tensor) -> Tensor:
    """Counts between 0 and `most`, not all 0."""
    rng = torch.Generator().manual_seed(seed)
    counts = (torch.rand(len(most), generator=rng) * (most + 1)).long()
    return counts if counts.sum() > 0 else most


def test_every_divergence_has_its_generator_f() -> None:
    assert theorem.DIVERGENCES.keys() == GENERATORS_OF_F.keys()


@pytest.mark.parametrize("name", GENERATORS_OF_F)
@given(seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=25)
def test_divergence_is_the_sum_over_points(name: str, seed: int) -> None:
    p, m = random_distribution(seed), random_distribution(seed + 1)
    f = GENERATORS_OF_F[name]
    naive = sum(float(m[i]) * f(float(p[i] / m[i])) for i in range(len(p)))
    assert float(theorem.DIVERGENCES[name](p, m)) == pytest.approx(naive, rel=1e-12, abs=1e-12)
    assert float(theorem.DIVERGENCES[name](p, p)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", GENERATORS_OF_F)
def test_with_disjoint_negatives_the_best_generator_is_the_data(name: str) -> None:
    weight = torch.tensor(WEIGHTS, dtype=torch.float64)
    q = theorem.negatives_with(0.0)
    g = theorem.best_generator(theorem.DIVERGENCES[name], q, weight, steps=300, seed=1)
    assert g.shape == (theorem.STARTS, len(WEIGHTS), len(P))
    assert float(theorem.distance(g, P).max()) < 1e-4
    mixture = weight[:, None] * P + (1 - weight[:, None]) * q
    assert (theorem.DIVERGENCES[name](P, mixture) > 0.01).all()  # at the optimum, yet not zero


@pytest.mark.parametrize("name", GENERATORS_OF_F)
def test_with_overlap_it_is_the_closed_form_and_not_the_data(name: str) -> None:
    weight = torch.tensor(WEIGHTS, dtype=torch.float64)
    for overlap in (0.3, 1.0):
        q = theorem.negatives_with(overlap)
        g = theorem.best_generator(theorem.DIVERGENCES[name], q, weight, steps=600, seed=1)
        closed = torch.stack([theorem.predicted_generator(q, each) for each in WEIGHTS])
        assert float(theorem.distance(g, closed).max()) < 1e-3
        assert float(theorem.distance(g, P).min()) > 0.02


@given(seed=st.integers(0, 2**16), weight=st.floats(0.05, 1), overlap=st.floats(0, 1))
@settings(deadline=None, max_examples=50)
def test_no_generator_beats_the_closed_form(seed: int, weight: float, overlap: float) -> None:
    q = overlap * random_distribution(seed) + (1 - overlap) * theorem.negatives_with(0.5)
    best = theorem.predicted_generator(q, weight)
    assert (best >= 0).all()
    assert float(best.sum()) == pytest.approx(1)
    towards = random_distribution(seed + 1)
    for share in (1.0, 0.1, 1e-3):  # far and near: the divergences are convex in g
        other = (1 - share) * best + share * towards
        for divergence in theorem.DIVERGENCES.values():
            at_best = divergence(P, weight * best + (1 - weight) * q)
            assert at_best <= divergence(P, weight * other + (1 - weight) * q) + 1e-9


def test_distance_grows_with_overlap_and_falls_with_weight() -> None:
    curves = torch.tensor(
        [
            [
                float(
                    theorem.distance(theorem.predicted_generator(theorem.negatives_with(t), w), P)
                )
                for t in theorem.OVERLAPS
            ]
            for w in theorem.WEIGHTS
        ]
    )
    assert (curves.diff(dim=1) > -1e-9).all()
    assert (curves.diff(dim=0) < 1e-9).all()
    assert curves[1, 1] == pytest.approx(0.09)


def test_overlap_in_the_shape_of_the_data_leaves_the_optimum_at_the_data() -> None:
    g = theorem.predicted_generator(theorem.negatives_with(0.5, inside=theorem.DATA), 0.25)
    assert float(theorem.distance(g, P)) < 1e-9


def test_reverse_kl_is_infinite_for_every_generator_when_disjoint() -> None:
    def reverse_kl(p: Tensor, m: Tensor) -> Tensor:
        return (torch.xlogy(m, m) - torch.xlogy(m, p)).sum(-1)

    for g in (P, random_distribution(0)):
        assert reverse_kl(P, 0.25 * g + 0.75 * theorem.negatives_with(0.0)).isinf()


@pytest.mark.parametrize("weight", WEIGHTS)
def test_trained_discriminator_is_the_predicted_ratio(weight: float) -> None:
    fake = theorem.DATA + theorem.INSIDE + theorem.OUTSIDE
    for negative in (theorem.OUTSIDE, theorem.INSIDE, theorem.INSIDE + theorem.OUTSIDE):
        logits = theorem.trained_discriminator(fake, negative, weight, steps=300, seed=0)
        mixture = weight * theorem.shares(fake) + (1 - weight) * theorem.shares(negative)
        for i in range(len(P)):
            if P[i] > 0:
                assert float(logits[i]) == pytest.approx(math.log(P[i] / mixture[i]), abs=1e-4)
            elif mixture[i] > 0:
                assert logits[i] < -8


def test_the_plain_discriminator_never_hears_of_negatives() -> None:
    plain = theorem.trained_discriminator(theorem.DATA, None, 1.0, steps=100, seed=0)
    start = torch.randn(len(P), generator=torch.Generator().manual_seed(0)).double()
    assert torch.equal(plain[~SUPPORT], start[~SUPPORT])
    assert plain[SUPPORT].abs().max() < 1e-4
    warned = theorem.trained_discriminator(theorem.DATA, theorem.OUTSIDE, 0.25, steps=100, seed=0)
    assert (warned[theorem.OUTSIDE > 0] < -8).all()
    assert torch.allclose(warned[SUPPORT], torch.full((6,), math.log(4)).double(), atol=1e-4)


@given(seed=st.integers(0, 2**16), weight=st.sampled_from(WEIGHTS))
@settings(deadline=None, max_examples=20)
def test_the_librarys_losses_are_divergences(seed: int, weight: float) -> None:
    fake = random_counts(seed, torch.full_like(theorem.DATA, 9))
    mixture = weight * theorem.shares(fake) + (1 - weight) * theorem.shares(theorem.OUTSIDE)
    gan, least_squares = (
        float(theorem.DIVERGENCES[name](P, mixture))
        for name in ("GAN (2 x Jensen-Shannon)", "least-squares GAN")
    )
    total_variation = float((P - mixture).abs().sum() / 2)
    loss = {f: theorem.loss_of(f, fake, weight) for f in ("logistic", "least_squares", "hinge")}
    assert loss["logistic"] == pytest.approx(2 * math.log(2) - gan, abs=1e-6)
    assert loss["least_squares"] == pytest.approx(0.25 - least_squares, abs=1e-6)
    assert loss["hinge"] == pytest.approx(2 - 2 * total_variation, abs=1e-6)


def test_the_sign_is_the_best_discriminator_of_the_hinge_loss() -> None:
    weight, fake = 0.25, random_counts(3, torch.full_like(theorem.DATA, 9))
    mixture = weight * theorem.shares(fake) + (1 - weight) * theorem.shares(theorem.OUTSIDE)
    best = (P - mixture).sign()
    batches = (theorem.DATA, fake, theorem.OUTSIDE)
    for i in range(len(P)):
        for value in torch.linspace(-3, 3, 13):
            logits = best.clone()
            logits[i] = value
            loss = nda.hinge_d(*map(logits.repeat_interleave, batches), fake_weight=weight)
            assert float(loss) >= theorem.loss_of("hinge", fake, weight) - 1e-9


@given(seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=20)
def test_the_hinge_loss_accepts_every_generator_below_its_cap(seed: int) -> None:
    """λ g <= p gives the same hinge loss; the logistic loss still wants the data."""
    weight = 0.25
    fake = random_counts(seed, theorem.DATA) + 2 * theorem.DATA  # g <= 1.5 p
    cap = theorem.shares(fake) * weight <= P + 1e-12
    assert cap.all()
    at_data = {f: theorem.loss_of(f, theorem.DATA, weight) for f in ("hinge", "logistic")}
    assert theorem.loss_of("hinge", fake, weight) == pytest.approx(at_data["hinge"], abs=1e-6)
    if float(theorem.distance(theorem.shares(fake), P)) > 0.01:
        assert theorem.loss_of("logistic", fake, weight) < at_data["logistic"] - 1e-5


def test_one_point_and_negatives_among_the_generators() -> None:
    rows = {row["generator"]: row for row in theorem.losses_of_generators(0.25)}
    data, one = rows["the data"], rows["one point only"]
    assert one["distance"] == pytest.approx(0.7)
    assert one["loss"]["hinge"] == pytest.approx(data["loss"]["hinge"])
    assert one["loss"]["logistic"] < data["loss"]["logistic"] - 0.1
    assert rows["half on the negatives"]["loss"]["hinge"] < data["loss"]["hinge"] - 0.1


def test_wasserstein_prefers_a_generator_away_from_the_negatives() -> None:
    result = theorem.wasserstein(0.25)
    g, q = torch.tensor(result["g"], dtype=torch.float64), theorem.negatives_with(0.0)
    on_the_line = (P - 0.25 * g - 0.75 * q).cumsum(0).abs().sum()
    assert float(g.sum()) == pytest.approx(1)
    assert float(on_the_line) == pytest.approx(result["best"])
    assert result["best"] < result["at_data"] - 0.1
    assert result["distance"] > 0.5
