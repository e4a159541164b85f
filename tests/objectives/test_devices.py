"""Losses are taken where their inputs are, and draws where their generator is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nda import objectives
from nda.objectives.dense_predictive import dense_accuracies, dense_scores
from nda.objectives.three_class import no_negative
from tests.support.elsewhere import ELSEWHERE, GeneratorElsewhere, made_by

Use = Callable[[], Tensor]


def zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, device=ELSEWHERE)


def logits(count: int) -> list[Tensor]:
    return [zeros(4) for _ in range(count)]


def clips(count: int) -> list[Tensor]:
    return [zeros(2, 3, 4, 2, 2) for _ in range(count)]


def critic(x: Tensor) -> Tensor:
    return x.square().sum(dim=1)


USES: dict[str, list[Use]] = {
    "hinge_d": [lambda: objectives.hinge_d(*logits(3))],
    "hinge_g": [lambda: objectives.hinge_g(zeros(4))],
    "logistic_d": [lambda: objectives.logistic_d(*logits(3), fake_weight=zeros())],
    "logistic_g": [lambda: objectives.logistic_g(zeros(4))],
    "prior_corrected_g": [
        lambda: objectives.prior_corrected_g(zeros(4)),
        lambda: objectives.prior_corrected_g(zeros(4), fake_weight=zeros()),
    ],
    "least_squares_d": [lambda: objectives.least_squares_d(*logits(3))],
    "least_squares_g": [lambda: objectives.least_squares_g(zeros(4))],
    "wasserstein_d": [lambda: objectives.wasserstein_d(*logits(3))],
    "wasserstein_g": [lambda: objectives.wasserstein_g(zeros(4))],
    "sample_mixture": [lambda: objectives.sample_mixture(*logits(2))],
    "shown_as_nulls": [lambda: objectives.shown_as_nulls(*logits(2), probability=0.5)],
    "consistency": [lambda: objectives.consistency(*logits(2))],
    "consistency_of_vectors": [lambda: objectives.consistency_of_vectors(zeros(4, 2), zeros(4, 2))],
    "nda_info_nce": [
        lambda: objectives.nda_info_nce(zeros(4, 2), zeros(4, 2), temperature=0.1),
        lambda: objectives.nda_info_nce(
            zeros(4, 2), zeros(4, 2), zeros(5, 2), zeros(4, 3, 2), temperature=0.1
        ),
        lambda: objectives.nda_info_nce(
            zeros(4, 2), zeros(4, 2), zeros(5, 2), zeros(3, 2), temperature=0.1, negative_weight=2
        ),
    ],
    "dense_predictive": [
        lambda: objectives.dense_predictive(*clips(2)),
        lambda: objectives.dense_predictive(*clips(3)),
        lambda: objectives.dense_predictive(*clips(3), negatives_from="all"),
    ],
    "gradient_penalty": [lambda: objectives.gradient_penalty(critic, zeros(4, 2), zeros(4, 2))],
    "zero_centred_penalty": [lambda: objectives.zero_centred_penalty(critic, zeros(4, 2))],
    "relativistic_d": [lambda: objectives.relativistic_d(*logits(3))],
    "relativistic_g": [lambda: objectives.relativistic_g(*logits(2))],
    "structure_d": [lambda: objectives.structure_d(*logits(3))],
    "structure_g": [lambda: objectives.structure_g(zeros(4))],
    "three_class_d": [lambda: objectives.three_class_d(*[zeros(4, 3)] * 3)],
    "three_class_g": [lambda: objectives.three_class_g(zeros(4, 3))],
    "no_negative": [lambda: no_negative(zeros(4, 3))],
    "dense_accuracies": [
        lambda: torch.stack([*dense_accuracies(dense_scores(*clips(3))).values()]),
    ],
}


def test_all_objectives_are_looked_at() -> None:
    assert {*objectives.__all__} <= {*USES}


@pytest.mark.parametrize("name", USES)
def test_everything_is_made_where_the_inputs_are(name: str) -> None:
    for use in USES[name]:
        assert made_by(use).everything == {"meta"}


DRAWING: dict[str, Callable[[torch.Generator], Tensor]] = {
    "sample_mixture": lambda g: objectives.sample_mixture(*logits(2), generator=g),
    "shown_as_nulls": lambda g: objectives.shown_as_nulls(*logits(2), probability=0.5, generator=g),
    "gradient_penalty": lambda g: objectives.gradient_penalty(
        critic, zeros(4, 2), zeros(4, 2), generator=g
    ),
}


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize(
    ("generator", "place"), [(torch.Generator(), "cpu"), (GeneratorElsewhere(), "meta")]
)
def test_draws_are_made_where_the_generator_is_and_follow_the_inputs(
    name: str, generator: torch.Generator, place: str
) -> None:
    found: list[Tensor] = []
    assert made_by(lambda: found.append(DRAWING[name](generator))).drawn == {place}
    assert found[0].device == ELSEWHERE
