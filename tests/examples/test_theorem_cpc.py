"""Theorem 2: the objectives against loops, their supremum, and what the maximisers look like."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import theorem_cpc as theorem

N = len(theorem.DATA)


def tables(seed: int, n_codes: int = 3, spread: float = 2.0) -> tuple[Tensor, Tensor, Tensor]:
    """Random codes, codes of negatives, and critic, each (points, codes)."""
    rng = torch.Generator().manual_seed(seed)
    logits = [
        spread * torch.randn(N, n_codes, generator=rng, dtype=torch.float64) for _ in range(3)
    ]
    return logits[0].softmax(-1), logits[1].softmax(-1), logits[2]


def naive_objective(codes: Tensor, negatives: Tensor | None, critic: Tensor) -> float:
    """Every draw of x, another x', z, z' and z̄ with its probability."""
    total, k = 0.0, codes.shape[1]
    p, h = theorem.DATA.tolist(), critic.exp().tolist()
    z, other = codes.tolist(), None if negatives is None else negatives.tolist()
    for x, x2, a, b in itertools.product(range(N), range(N), range(k), range(k)):
        chance = p[x] * p[x2] * z[x][a] * z[x2][b]
        if other is None:
            total += chance * math.log(2 * h[x][a] / (h[x][a] + h[x][b]))
            continue
        for c in range(k):
            gain = math.log(3 * h[x][a] / (h[x][a] + h[x][b] + h[x][c]))
            total += chance * other[x][c] * gain
    return total


@given(seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=10)
def test_code_objective_is_the_expectation_over_every_draw(seed: int) -> None:
    codes, negatives, critic = tables(seed)
    plain = float(theorem.code_objective(codes, None, critic))
    assert plain == pytest.approx(naive_objective(codes, None, critic))
    nda_cpc = float(theorem.code_objective(codes, negatives, critic))
    assert nda_cpc == pytest.approx(naive_objective(codes, negatives, critic))
    batch = theorem.code_objective(*(torch.stack([t, t]) for t in (codes, negatives, critic)))
    assert batch.tolist() == pytest.approx([nda_cpc, nda_cpc])


@given(seed=st.integers(0, 2**16), spread=st.floats(0.1, 30))
@settings(deadline=None, max_examples=50)
def test_nothing_exceeds_the_supremum(seed: int, spread: float) -> None:
    codes, negatives, critic = tables(seed, n_codes=6, spread=spread)
    assert theorem.code_objective(codes, negatives, critic) <= theorem.highest_objective("own")
    assert theorem.code_objective(codes, None, critic) <= theorem.highest_objective("none")


def test_disjoint_codes_reach_the_supremum_and_a_shared_code_does_not() -> None:
    codes = torch.eye(N, 5).double()
    apart = torch.tensor([0.0, 0, 0, 0, 1]).double().expand(N, -1)
    critic = 50 * codes
    reached = float(theorem.code_objective(codes, apart, critic))
    assert reached == pytest.approx(theorem.highest_objective("any"), abs=1e-9)
    on_the_third = torch.tensor([0.0, 0, 1, 0, 0]).double().expand(N, -1)
    best_of_shared = max(
        float(theorem.code_objective(codes, on_the_third, scale * codes)) for scale in range(60)
    )
    assert best_of_shared < reached - 0.1
    plain = float(theorem.code_objective(codes, None, critic))
    assert plain == pytest.approx(theorem.highest_objective("none"), abs=1e-9)


def test_overlap_and_information_of_equal_and_of_disjoint_codes() -> None:
    codes, apart = torch.eye(N, 5).double(), torch.tensor([0.0, 0, 0, 0, 1]).double().expand(N, -1)
    assert torch.equal(theorem.overlap(codes, codes), torch.eye(N).double())
    assert float(theorem.overlap(codes, apart).max()) == 0
    assert float(theorem.information(codes, codes)) == pytest.approx(0)
    assert float(theorem.information(codes, apart)) == pytest.approx(1)


def test_without_negatives_their_codes_stay_where_their_originals_are() -> None:
    found = theorem.best_codes("none", steps=200, seed=0)
    assert found["change"] == 0
    assert found["overlap_own"] == pytest.approx([1, 1])
    assert found["bits"] == pytest.approx([0, 0])


@pytest.mark.slow
def test_maximisers_of_nda_cpc_keep_data_and_negatives_apart() -> None:
    found = theorem.best_codes("any", steps=500, seed=0)
    assert found["reached"] > 0
    assert found["overlap_any"][1] < 0.01
    assert found["bits"][0] > 0.98


@pytest.mark.slow
def test_own_negatives_alone_separate_each_point_from_its_own_only() -> None:
    found = theorem.best_codes("own", steps=500, seed=0)
    assert found["reached"] > 0
    assert found["overlap_own"][1] < 0.01
    assert found["overlap_any"][1] > 0.9  # a negative may take the code of another point


@given(seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=20)
def test_vector_objective_is_the_formula(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    vectors, negatives = torch.nn.functional.normalize(
        torch.randn(2, N, 3, generator=rng, dtype=torch.float64), dim=-1
    )

    def h(x: Tensor, z: Tensor) -> float:
        return math.exp(float(x @ z) / theorem.TEMPERATURE)

    expected = {"none": 0.0, "own": 0.0, "any": 0.0}
    for i, x in enumerate(vectors):
        positive = h(x, x)
        queue = sum(h(x, vectors[j]) for j in range(N) if j != i)
        against = [h(x, z) for z in negatives]
        expected["none"] += math.log(N * positive / (positive + queue)) / N
        expected["own"] += math.log((N + 1) * positive / (positive + queue + against[i])) / N
        expected["any"] += math.log(2 * N * positive / (positive + queue + sum(against))) / N
    for kind, value in expected.items():
        kept = None if kind == "none" else negatives
        found = theorem.vector_objective(vectors, kept, own=kind == "own")
        assert float(found) == pytest.approx(value)


def test_vectors_part_from_their_negatives_only_with_nda() -> None:
    found = {k: theorem.best_vectors(k, steps=150, seed=0, dimension=8) for k in theorem.AGAINST}
    assert found["none"]["change"] == 0
    assert found["none"]["cosine_own"] == pytest.approx(1)
    assert found["own"]["cosine_own"] < -0.7
    assert found["any"]["cosine_any"] < -0.2
