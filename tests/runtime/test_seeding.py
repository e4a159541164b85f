"""Randomness as a function of (seed, rank, step, purpose)."""

from __future__ import annotations

from types import SimpleNamespace
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.runtime.seeding import (
    draws_of_step,
    generator_for,
    key,
    seed_global_generators,
    seeded,
)
from tests.support.defaults import defaults_of_module

numbers = st.integers(0, 2**63 - 1)
keys = st.tuples(numbers, st.integers(0, 1000), numbers, st.text(max_size=10))


@settings(deadline=None, max_examples=50)
@given(keys, keys)
def test_keys_differ_wherever_one_of_the_four_does(
    one: tuple[int, int, int, str], other: tuple[int, int, int, str]
) -> None:
    assert 0 <= key(*one) < 2**63
    assert (key(*one) == key(*other)) == (one == other)


def test_keys_stay_what_they_were_so_that_old_runs_resume() -> None:
    assert key(1, 2, 3, "train") == 8_999_350_511_162_976_320
    assert (
        generator_for(1, rank=2, step=3, purpose="train").initial_seed()
        == 8_999_350_511_162_976_320
    )
    assert generator_for(1, purpose="train").initial_seed() == key(1, 0, 0, "train")
    seed_global_generators(1, rank=2, step=3)
    assert torch.initial_seed() == key(1, 2, 3, "global")
    seed_global_generators(1)
    assert torch.initial_seed() == key(1, 0, 0, "global")


def test_the_draws_of_a_step_stay_what_they_were_and_are_on_its_device() -> None:
    rng = draws_of_step(1, 2, 3, "cpu")
    assert rng.initial_seed() == key(1, 2, 3, "train")
    assert torch.initial_seed() == key(1, 2, 3, "global")
    wanted = SimpleNamespace(manual_seed=lambda number: ("train", number))
    with mock.patch.object(torch, "Generator", {"there": wanted}.__getitem__):
        drawn: object = draws_of_step(1, 2, 3, "there")
    assert drawn == ("train", key(1, 2, 3, "train"))


def test_defaults_are_the_documented_ones() -> None:
    first = {"rank": 0, "step": 0}
    assert defaults_of_module("nda.runtime.seeding") == {
        "generator_for": {**first, "device": "cpu"},
        "seed_global_generators": first,
    }


def test_neighbouring_keys_differ() -> None:
    many = {key(s, r, t, p) for s in range(8) for r in range(4) for t in range(50) for p in "ab"}
    assert len(many) == 8 * 4 * 50 * 2


def test_a_generator_draws_the_same_at_the_same_place() -> None:
    one = torch.rand(5, generator=generator_for(1, rank=2, step=3, purpose="train"))
    same = torch.rand(5, generator=generator_for(1, rank=2, step=3, purpose="train"))
    for rank, step, purpose in ((0, 3, "train"), (2, 4, "train"), (2, 3, "samples")):
        other = generator_for(1, rank=rank, step=step, purpose=purpose)
        assert not torch.equal(one, torch.rand(5, generator=other))
    assert torch.equal(one, same)


def test_dropout_follows_from_seed_rank_and_step() -> None:
    def dropped(seed: int, rank: int, step: int) -> list[float]:
        seed_global_generators(seed, rank=rank, step=step)
        return F.dropout(torch.ones(64)).tolist()

    assert dropped(1, 0, 5) == dropped(1, 0, 5)
    places = ((1, 0, 5), (2, 0, 5), (1, 1, 5), (1, 0, 6))
    assert len({tuple(dropped(*place)) for place in places}) == len(places)


def test_weights_follow_from_a_seed_and_the_callers_random_state_stays() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with seeded(7):
        drawn = torch.rand(4)
    assert torch.equal(torch.rand(4), expected)
    assert torch.equal(drawn, torch.rand(4, generator=torch.Generator().manual_seed(7)))
    torch.manual_seed(3)
    with pytest.raises(ValueError, match="stops"), seeded(7):
        raise ValueError("stops")
    assert torch.equal(torch.rand(4), expected)
