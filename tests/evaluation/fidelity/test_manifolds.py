"""Precision, recall, density and coverage: their definitions, and what is known of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import DataError, ShapeError
from nda.evaluation.fidelity import manifolds
from nda.evaluation.fidelity.manifolds import Manifolds, compare_manifolds


def features(rows: int, columns: int = 3, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=rng, dtype=torch.float64)


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm())


def radius(index: int, among: Tensor, k: int) -> float:
    others = [distance(among[index], each) for j, each in enumerate(among) if j != index]
    return sorted(others)[k - 1]


def by_loops(real: Tensor, made: Tensor, k: int, k_wide: int) -> Manifolds:
    """As both papers define them, pair after pair."""

    def within(x: Tensor, among: Tensor, k: int) -> list[bool]:
        return [distance(x, each) <= radius(i, among, k) for i, each in enumerate(among)]

    wide = [within(x, real, k_wide) for x in made]
    return Manifolds(
        precision=sum(any(within(x, real, k)) for x in made) / len(made),
        recall=sum(any(within(x, made, k)) for x in real) / len(real),
        density=sum(sum(row) for row in wide) / (k_wide * len(made)),
        coverage=sum(any(row[i] for row in wide) for i in range(len(real))) / len(real),
    )


@given(
    rows=st.tuples(st.integers(5, 14), st.integers(5, 14)),
    columns=st.integers(1, 3),
    neighbours=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=20)
def test_agrees_with_loops(
    rows: tuple[int, int], columns: int, neighbours: tuple[int, int], seed: int
) -> None:
    real, made = features(rows[0], columns, seed), features(rows[1], columns, seed + 1) * 1.5
    k, wide = neighbours
    assert compare_manifolds(real, made, neighbours=k, covered=wide) == by_loops(
        real, made, k, wide
    )


def test_the_published_numbers_of_neighbours_are_the_defaults() -> None:
    real, made = features(14, 2), features(13, 2, seed=1) * 1.5
    assert compare_manifolds(real, made) == by_loops(real, made, 3, 5)


def test_in_parts_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = features(31), features(23, seed=1) * 1.3
    whole = compare_manifolds(real, made)
    monkeypatch.setattr(manifolds, "_CELLS", 70)  # two or three rows at once
    assert compare_manifolds(real, made) == whole


def test_a_set_covers_itself_and_a_set_far_away_nothing() -> None:
    real = features(40)
    same = compare_manifolds(real, real.flip(0))
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert compare_manifolds(real, real + 1000) == Manifolds(0, 0, 0, 0)


def test_one_mode_of_two_is_precise_and_covers_half() -> None:
    """What precision alone does not see."""
    real = torch.cat([features(50), features(50, seed=1) + 100])
    found = compare_manifolds(real, features(100, seed=2) * 0.5)
    assert found.precision > 0.95
    assert found.recall <= 0.5
    assert found.coverage <= 0.5


def test_an_outlier_flatters_precision_but_not_density() -> None:
    real, made = features(60), features(60, seed=1) + 30
    real[0] = 30
    found = compare_manifolds(real, made)
    assert found.precision == 1  # within the ball of one outlier
    assert found.density <= 0.2


def test_copies_of_one_image_lie_within_their_own_balls_far_from_zero() -> None:
    copies = torch.full((8, 5), 1e6, dtype=torch.float32)
    assert compare_manifolds(copies, copies.clone()).precision == 1
    assert compare_manifolds(copies, copies + 1).precision == 0


def test_refuses_features_of_another_shape() -> None:
    with pytest.raises(ShapeError, match=r"features \(N, D\) and \(M, D\); got \(9, 3\) and \(9,"):
        compare_manifolds(features(9), features(9, 2))
    with pytest.raises(ShapeError, match=r"got \(9, 3\) and \(9,\)"):
        compare_manifolds(features(9), torch.zeros(9))


def test_refuses_fewer_images_than_neighbours() -> None:
    with pytest.raises(
        DataError, match=r"ask for 5 neighbours of each image, and a set has 5 images; give at "
        r"least 6\."
    ):  # fmt: skip
        compare_manifolds(features(9), features(5))
    assert compare_manifolds(features(6), features(6)).precision == 1
