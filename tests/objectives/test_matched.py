"""Matching with nulls against loops over samples."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.errors import ConfigError, ShapeError
from nda.objectives import consistency, consistency_of_vectors, shown_as_nulls


@given(
    seed=st.integers(0, 2**16),
    shape=st.sampled_from([(1,), (5,), (7, 3, 2, 2)]),
    probability=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(deadline=None, max_examples=25)
def test_each_sample_is_itself_or_its_null(
    seed: int, shape: tuple[int, ...], probability: float
) -> None:
    x, null = torch.rand(2, *shape, generator=torch.Generator().manual_seed(seed))
    shown = shown_as_nulls(
        x, null, probability=probability, generator=torch.Generator().manual_seed(seed)
    )
    same = torch.Generator().manual_seed(seed)
    drawn = torch.rand(shape[0], generator=same).tolist()
    for i, number in enumerate(drawn):
        assert torch.equal(shown[i], null[i] if number < probability else x[i])


def test_the_probability_is_the_share_of_nulls() -> None:
    x, null = torch.zeros(4000), torch.ones(4000)
    shown = shown_as_nulls(x, null, probability=0.3, generator=torch.Generator().manual_seed(0))
    assert float(shown.mean()) == pytest.approx(0.3, abs=4 * (0.21 / 4000) ** 0.5)


def test_at_a_probability_of_0_no_null_is_shown_whatever_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "rand", lambda count, **_: torch.zeros(count))
    assert shown_as_nulls(torch.ones(3), torch.zeros(3), probability=0).tolist() == [1, 1, 1]


@given(seed=st.integers(0, 2**16), shape=st.sampled_from([(1,), (5,), (3, 2, 4)]))
@settings(deadline=None, max_examples=25)
def test_consistency_is_a_mean_of_squares(seed: int, shape: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(seed)
    one, other = torch.randn(2, *shape, generator=rng, dtype=torch.float64)
    pairs = list(zip(one.flatten().tolist(), other.flatten().tolist(), strict=True))
    expected = sum((a - b) ** 2 for a, b in pairs) / len(pairs)
    found = consistency(one, other)
    assert found.shape == ()
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert float(consistency(one, one)) == 0


def test_consistency_of_vectors_is_a_distance_and_follows_the_cosine() -> None:
    rng = torch.Generator().manual_seed(0)
    one, other = torch.nn.functional.normalize(torch.randn(2, 6, 5, generator=rng), dim=2)
    found = float(consistency_of_vectors(one, other))
    distances = [float((a - b).norm()) ** 2 for a, b in zip(one, other, strict=True)]
    assert found == pytest.approx(sum(distances) / 6, rel=1e-5)
    assert found == pytest.approx(2 - 2 * float((one * other).sum(dim=1).mean()), rel=1e-5)


def test_both_sides_are_learned() -> None:
    one = torch.randn(4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    other = torch.zeros(4, requires_grad=True)
    consistency(one, other).backward()
    assert one.grad is not None
    assert other.grad is not None
    torch.testing.assert_close(one.grad, 2 * one.detach() / 4)
    torch.testing.assert_close(other.grad, -one.grad)


def test_half_precision_is_taken_in_float32() -> None:
    one, other = torch.full((2, 4096), 8.0, dtype=torch.bfloat16), torch.zeros(2, 4096)
    assert consistency(one, other).dtype == torch.float32
    assert float(consistency_of_vectors(one, other.bfloat16())) == 64 * 4096


def test_what_does_not_match_is_refused() -> None:
    x = torch.zeros(4, 2)
    refused = r"matched with their nulls, of one shape; got \(4, 2\) and \(3, 2\)"
    with pytest.raises(ShapeError, match=refused):
        shown_as_nulls(x, x[:3], probability=0.5)
    with pytest.raises(ShapeError, match=refused):
        consistency(x, x[:3])
    with pytest.raises(ShapeError, match=refused):
        consistency_of_vectors(x, x[:3])
    with pytest.raises(ShapeError, match=r"got \(0, 2\) and \(0, 2\)"):
        consistency_of_vectors(x[:0], x[:0])
    with pytest.raises(ConfigError, match=r"probability is 1\.5; it is the share of samples shown"):
        shown_as_nulls(x, x, probability=1.5)
