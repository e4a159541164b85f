"""InfoNCE with negatives against a double loop, by its limits, and by its gradient."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.objectives import nda_info_nce


def units(*shape: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=rng), dim=-1)


def naive(
    query: Tensor,
    key: Tensor,
    queue: Tensor | None,
    negatives: Tensor | None,
    temperature: float,
    weight: float = 1.0,
) -> float:
    """The definition, sum by sum."""
    total = 0.0
    for i in range(len(query)):

        def h(vector: Tensor, i: int = i) -> float:
            return math.exp(float(query[i] @ vector) / temperature)

        others = key[torch.arange(len(key)) != i] if queue is None else queue
        below = h(key[i]) + sum(h(other) for other in others)
        if negatives is not None:
            own = negatives[i] if negatives.dim() == 3 else negatives
            below += weight * sum(h(negative) for negative in own)
        total -= math.log(h(key[i]) / below)
    return total / len(query)


@given(
    st.integers(1, 5), st.integers(1, 4), st.integers(0, 6), st.integers(0, 3),
    st.floats(0.1, 5), st.floats(0.1, 4), st.booleans(), st.integers(0, 1000),
)  # fmt: skip
def test_it_is_the_double_loop(
    batch: int, size: int, queued: int, m: int, temperature: float, weight: float, shared: bool,
    seed: int,
) -> None:  # fmt: skip
    query, key = units(batch, size, seed=seed), units(batch, size, seed=seed + 1)
    queue = units(queued, size, seed=seed + 2) if queued else None
    negatives = units(*((m,) if shared else (batch, m)), size, seed=seed + 3) if m else None
    loss = nda_info_nce(
        query, key, queue, negatives, temperature=temperature, negative_weight=weight
    )
    expected = naive(query, key, queue, negatives, temperature, weight)
    assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_without_negatives_it_is_the_cross_entropy_of_moco() -> None:
    query, key, queue = units(6, 8), units(6, 8, seed=1), units(10, 8, seed=2)
    logits = torch.cat([(query * key).sum(1, True), query @ queue.T], dim=1) / 0.2
    expected = F.cross_entropy(logits, torch.zeros(6, dtype=torch.int64))
    torch.testing.assert_close(nda_info_nce(query, key, queue, temperature=0.2), expected)


def test_a_weight_of_zero_takes_the_negatives_out() -> None:
    query, key, negatives = units(6, 8), units(6, 8, seed=1), units(6, 2, 8, seed=2)
    without = nda_info_nce(query, key, temperature=0.2)
    weighed = nda_info_nce(query, key, None, negatives, temperature=0.2, negative_weight=0.0)
    assert torch.equal(weighed, without)


def test_a_perfect_encoder_has_no_loss_left() -> None:
    query = torch.eye(4)
    negatives = -query[:, None]
    loss = nda_info_nce(query, query, torch.eye(4).roll(1, 0)[:0], negatives, temperature=0.05)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_a_negative_that_looks_like_the_key_costs_log_two() -> None:
    query = units(5, 8)
    loss = nda_info_nce(query, query, query[:0], query[:, None], temperature=0.3)
    assert loss.item() == pytest.approx(math.log(2))


def test_at_a_large_temperature_it_is_chance() -> None:
    query, key, queue = units(6, 8), units(6, 8, seed=1), units(10, 8, seed=2)
    loss = nda_info_nce(query, key, queue, units(6, 3, 8, seed=3), temperature=1e6)
    assert loss.item() == pytest.approx(math.log(1 + 10 + 3), rel=1e-5)


def test_its_gradient_is_that_of_differences() -> None:
    query, key, negatives = units(3, 4).double(), units(3, 4, seed=1), units(3, 2, 4, seed=2)
    # In float32 inside, so that the differences are taken coarsely.
    leaf = query.float().requires_grad_()
    nda_info_nce(leaf, key, None, negatives, temperature=0.5).backward()
    assert leaf.grad is not None
    for i in range(3):
        for j in range(4):
            step = torch.zeros(3, 4, dtype=torch.float64)
            step[i, j] = 1e-3
            up, down = (naive(query + s * step, key.double(), None, negatives.double(), 0.5)
                        for s in (1, -1))  # fmt: skip
            assert leaf.grad[i, j].item() == pytest.approx((up - down) / 2e-3, abs=1e-4)


def test_negatives_push_the_query_away() -> None:
    query, key = units(1, 4).requires_grad_(), units(1, 4, seed=1)
    negative = units(1, 1, 4, seed=2)
    with_it = torch.autograd.grad(
        nda_info_nce(query, key, key[:0], negative, temperature=1.0), query
    )[0]
    assert float((-with_it * negative[0]).sum()) < 0 < float((-with_it * key).sum())


def test_mixed_precision_leaves_it_in_float32() -> None:
    query, key, queue = units(6, 64), units(6, 64, seed=1), units(10, 64, seed=2)
    exact = nda_info_nce(query, key, queue, units(6, 1, 64, seed=3), temperature=0.07)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = nda_info_nce(query, key, queue, units(6, 1, 64, seed=3), temperature=0.07)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, exact)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"key": (3, 4)}, r"\(B, D\); got \(2, 4\) and \(3, 4\)"),
        ({"queue": (5, 3)}, r"queue must be \(K, 4\)"),
        ({"negatives": (3, 1, 4)}, r"negatives must be \(2, m, 4\)"),
        ({"negatives": (7, 5)}, r"negatives must be"),
    ],
)
def test_shapes_that_do_not_match_are_refused(
    shapes: dict[str, tuple[int, ...]], words: str
) -> None:
    tensors = {"query": torch.zeros(2, 4), "key": torch.zeros(2, 4)}
    with pytest.raises(ShapeError, match=words):
        nda_info_nce(
            **tensors | {n: torch.zeros(s) for n, s in shapes.items()},  # type: ignore[arg-type]
            temperature=1.0,
        )


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_temperatures_out_of_range_are_refused(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature is"):
        nda_info_nce(units(2, 4), units(2, 4), temperature=temperature)


@pytest.mark.parametrize("weight", [-0.5, math.inf, math.nan])
def test_negative_weights_out_of_range_are_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match=rf"negative_weight is {weight}; it must be at least 0"):
        nda_info_nce(units(2, 4), units(2, 4), temperature=1.0, negative_weight=weight)
