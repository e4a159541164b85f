"""Dense prediction: scores, kinds and loss cell by cell against loops, gradients and refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import nda
from nda.errors import ConfigError, ShapeError
from nda.objectives.dense_predictive import (
    DenseScores,
    Kind,
    cells,
    dense_accuracies,
    dense_predictive,
    dense_scores,
    loss_of,
    target_kinds,
)

SIZES = st.tuples(*[st.integers(1, most) for most in (2, 3, 3, 2, 2)])  # B, P, D, H, W


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def places(x: Tensor) -> list[tuple[int, int, int, int]]:
    """(clip, block, row, column) of every cell, in order."""
    clips, steps, _, height, width = x.shape
    return [
        (b, p, i, j)
        for b in range(clips)
        for p in range(steps)
        for i in range(height)
        for j in range(width)
    ]


def naive_row(
    predicted: Tensor,
    target: Tensor,
    negative: Tensor | None,
    row: tuple[int, int, int, int],
    first: int,
    own: bool,
) -> tuple[list[float], list[Kind]]:
    """Scores of one predicted cell and what each column is, by the words of the definition."""
    b, p, i, j = row
    cell = predicted[b, p, :, i, j]
    scores, kinds = [], []
    for other in places(target):
        clip, block, y, x = other
        scores.append(float(cell @ target[clip, block, :, y, x]))
        if other == (first + b, p, i, j):
            kinds.append(Kind.POSITIVE)
        elif clip == first + b and (y, x) == (i, j):
            kinds.append(Kind.TEMPORAL)
        elif clip == first + b:
            kinds.append(Kind.SPATIAL)
        else:
            kinds.append(Kind.EASY)
    for clip, block, y, x in places(negative) if negative is not None else ():
        if not own or clip == b:
            assert negative is not None
            scores.append(float(cell @ negative[clip, block, :, y, x]))
            kinds.append(Kind.NDA)
    return scores, kinds


@settings(max_examples=12, deadline=None)
@given(SIZES, st.booleans(), st.booleans(), st.integers(0, 1), st.integers(0, 99))
def test_scores_and_kinds_are_those_of_a_loop_over_cells(
    sizes: tuple[int, ...], nda_columns: bool, own: bool, first: int, seed: int
) -> None:
    batch, *rest = sizes
    predicted = features(batch, *rest, seed=seed)
    target = features(batch + first, *rest, seed=seed + 1)
    negative = features(batch if own else 2, 2, *rest[1:], seed=seed + 2) if nda_columns else None
    scores = dense_scores(
        predicted, target, negative, negatives_from="own" if own else "all", first=first
    )
    losses = []
    for index, row in enumerate(places(predicted)):
        logits, kinds = naive_row(predicted, target, negative, row, first, own)
        torch.testing.assert_close(scores.logits[index], torch.tensor(logits), atol=1e-5, rtol=1e-4)
        assert scores.kinds[index].tolist() == kinds
        assert kinds[int(scores.positive[index])] == Kind.POSITIVE
        assert kinds.count(Kind.POSITIVE) == 1
        assert set(scores.negatives) == set(kinds) - {Kind.POSITIVE}
        positive = logits[kinds.index(Kind.POSITIVE)]
        losses.append(math.log(sum(math.exp(each - positive) for each in logits)))
    assert float(loss_of(scores)) == pytest.approx(sum(losses) / len(losses), rel=1e-4, abs=1e-5)


def test_the_published_task_has_the_columns_of_its_figure() -> None:
    x = features(2, 3, 4, 4, 4)
    kinds = dense_scores(x, x, x).kinds
    assert kinds.shape == (96, 144)
    counts = [[int((row == kind).sum()) for kind in Kind] for row in kinds]
    assert counts == [[1, 2, 45, 48, 48]] * 96


def test_kinds_are_small_numbers_and_places_whole_ones() -> None:
    assert [(kind.name, kind.value) for kind in Kind] == [
        ("POSITIVE", 0),
        ("TEMPORAL", 1),
        ("SPATIAL", 2),
        ("EASY", 3),
        ("NDA", 4),
    ]
    x = features(2, 2, 3, 2, 2)
    for scores in (dense_scores(x, x), dense_scores(x, x, x)):
        assert (scores.kinds.dtype, scores.positive.dtype) == (torch.int8, torch.int64)
    assert target_kinds(x, x).dtype == torch.int8


def test_temperature_divides_the_scores() -> None:
    x, y = features(2, 2, 3, 2, 2), features(2, 2, 3, 2, 2, seed=1)
    warm, cold = dense_scores(x, y, y), dense_scores(x, y, y, temperature=0.1)
    torch.testing.assert_close(cold.logits, warm.logits / 0.1)
    torch.testing.assert_close(
        dense_predictive(x, y, y, temperature=0.1), dense_predictive(x / 0.1, y, y)
    )


def test_at_chance_the_loss_counts_the_columns() -> None:
    x = torch.zeros(2, 3, 4, 2, 2)
    assert float(dense_predictive(x, x)) == pytest.approx(math.log(24))
    assert float(dense_predictive(x, x, x)) == pytest.approx(math.log(24 + 12))
    assert float(dense_predictive(x, x, x, negatives_from="all")) == pytest.approx(math.log(48))


def test_gradients_are_those_of_finite_differences() -> None:
    x, y, z = (features(2, 2, 2, 1, 2, seed=s).double().requires_grad_() for s in range(3))

    def loss(*parts: Tensor) -> Tensor:
        a, b, c = (part.float() for part in parts)
        return dense_predictive(a, b, c)

    value = loss(x, y, z)
    value.backward()
    for part in (x, y, z):
        assert part.grad is not None
        flat, gradient = part.detach().flatten(), part.grad.flatten()
        for index in range(len(flat)):
            change = []
            for sign in (1, -1):
                moved = flat.clone()
                moved[index] += sign * 1e-2
                inputs = [moved.view_as(part) if each is part else each for each in (x, y, z)]
                change.append(float(loss(*inputs).detach()))
            difference = (change[0] - change[1]) / 2e-2
            assert float(gradient[index]) == pytest.approx(difference, abs=2e-3)


def test_autocast_changes_nothing() -> None:
    x, y, z = (features(2, 2, 8, 2, 2, seed=s) for s in range(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = dense_predictive(x, y, z)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, dense_predictive(x, y, z))
    low = dense_predictive(x.bfloat16(), y.bfloat16(), z.bfloat16())
    assert low.dtype == torch.float32


def of(logits: list[list[float]], kinds: list[list[Kind]], *negatives: Kind) -> DenseScores:
    positive = torch.tensor([row.index(Kind.POSITIVE) for row in kinds])
    return DenseScores(
        torch.tensor(logits), torch.tensor(kinds, dtype=torch.int8), positive, negatives
    )


def test_accuracies_by_hand() -> None:
    row = [Kind.POSITIVE, Kind.TEMPORAL, Kind.SPATIAL, Kind.SPATIAL, Kind.EASY, Kind.NDA]
    found = dense_accuracies(
        of(
            [
                [9, 1, 1, 1, 1, 1],  # found
                [5, 6, 1, 1, 1, 1],  # second: the same place at another time is nearer
                [4, 1, 6, 6, 1, 4],  # fourth: two other places are nearer, a negative as near
                [0, 1, 1, 1, 1, 1],  # sixth
            ],
            [row] * 4,
            Kind.TEMPORAL,
            Kind.SPATIAL,
            Kind.EASY,
            Kind.NDA,
        )
    )
    assert {name: float(value) for name, value in found.items()} == {
        "top1": 0.25,
        "top3": 0.5,
        "top5": 0.75,
        "over_temporal": 0.5,
        "over_spatial": 0.5,
        "over_easy": 0.75,
        "over_nda": 0.5,
    }


def test_features_that_are_alike_find_nothing() -> None:
    found = dense_accuracies(dense_scores(*[torch.ones(2, 2, 3, 2, 2)] * 3))
    assert all(float(value) == 0 for value in found.values())


def test_kinds_without_columns_are_left_out() -> None:
    x = features(1, 1, 3, 1, 1)
    assert dense_accuracies(dense_scores(x, x)).keys() == {"top1", "top3", "top5"}
    assert "over_nda" in dense_accuracies(dense_scores(x, x, x))


def test_cells_are_in_the_order_clip_block_place() -> None:
    x = features(2, 3, 4, 2, 5)
    assert cells(x).shape == (2, 30, 4)
    for index, (b, p, i, j) in enumerate(places(x)):
        assert torch.equal(cells(x).flatten(0, 1)[index], x[b, p, :, i, j])


def test_it_is_public() -> None:
    assert nda.dense_predictive is dense_predictive


@pytest.mark.parametrize(
    ("shapes", "options", "error", "message"),
    [
        ([(2, 3, 4), (2, 3, 4)], {}, ShapeError, r"predicted must be \(B, P, D, H, W\)"),
        (
            [(2, 3, 4, 2, 2), (2, 2, 4, 2, 2)],
            {},
            ShapeError,
            r"target must have the cells of predicted, \(3, 4, 2, 2\) a clip; got \(2, 2, 4, 2, 2",
        ),
        (
            [(2, 3, 4, 2, 2), (3, 3, 4, 2, 2)],
            {"first": 2},
            ShapeError,
            "predicted holds 2 clips and target 3, so first must lie between 0 and .*; got 2",
        ),
        (
            [(2, 3, 4, 2, 2), (2, 3, 4, 2, 2), (2, 3, 5, 2, 2)],
            {},
            ShapeError,
            r"negative must be \(N, P', 4, H, W\) as predicted is; got \(2, 3, 5, 2, 2\)",
        ),
        (
            [(2, 3, 4, 2, 2), (2, 3, 4, 2, 2), (3, 3, 4, 2, 2)],
            {},
            ShapeError,
            "negatives_from own needs a negative for each of the 2 clips; got 3",
        ),
        ([(1, 1, 1, 1, 1)] * 2, {"temperature": 0}, ConfigError, "temperature is 0; it must be"),
        ([(1, 1, 1, 1, 1)] * 2, {"temperature": math.inf}, ConfigError, "temperature is inf; it"),
        ([(1, 1, 1, 1, 1)] * 2, {"negatives_from": "some"}, ConfigError, "give own or all"),
    ],
)
def test_what_does_not_fit_is_refused(
    shapes: list[tuple[int, ...]],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        dense_predictive(*[torch.zeros(shape) for shape in shapes], **options)
