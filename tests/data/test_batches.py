from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.data import EpochBatches
from nda.errors import DataError


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(4, 40),
    batch_size=st.integers(1, 4),
    world_size=st.integers(1, 3),
    seed=st.integers(-(2**40), 2**40),
)
def test_steps_of_all_processes_are_the_epochs_in_a_row(
    n: int, batch_size: int, world_size: int, seed: int
) -> None:
    n = max(n, batch_size * world_size)
    ranks = [
        EpochBatches(n, batch_size, seed=seed, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    steps = 3 * n // (batch_size * world_size) + 1
    drawn = torch.cat([batches.indices(step) for step in range(steps) for batches in ranks])
    for epoch in range(3):
        seen = drawn[epoch * n : (epoch + 1) * n]
        assert sorted(seen.tolist()) == list(range(n))


@settings(deadline=None)
@given(share=st.integers(1, 3), one=st.integers(1, 4), other=st.integers(1, 4))
def test_processes_that_share_a_batch_draw_the_same_together(
    share: int, one: int, other: int
) -> None:
    def together(processes: int, step: int) -> list[int]:
        size = share * one * other // processes
        ranks = [
            EpochBatches(50, size, seed=3, rank=rank, world_size=processes)
            for rank in range(processes)
        ]
        return torch.cat([batches.indices(step) for batches in ranks]).tolist()

    for step in (0, 1, 7):
        assert together(one, step) == together(other, step)


def test_a_step_depends_on_nothing_that_came_before() -> None:
    batches = EpochBatches(10, 4, seed=3)
    in_order = [batches.indices(step) for step in range(30)]
    for step in (29, 0, 17, 3):
        assert torch.equal(batches.indices(step), in_order[step])
        assert torch.equal(EpochBatches(10, 4, seed=3).indices(step), in_order[step])


def test_a_batch_may_be_changed_without_changing_the_next_epoch() -> None:
    batches = EpochBatches(8, 8, seed=0)
    batches.indices(0).zero_()
    assert sorted(batches.indices(0).tolist()) == list(range(8))


def test_epochs_and_seeds_have_permutations_of_their_own() -> None:
    orders = [
        tuple(EpochBatches(50, 50, seed=seed).indices(epoch).tolist())
        for seed in range(4)
        for epoch in range(4)
    ]
    assert len(set(orders)) == len(orders)


def test_the_order_of_a_seed_stays_what_it_was_so_that_old_runs_resume() -> None:
    steps = {0: [[0, 1, 4], [6, 4, 6], [3, 2, 4]], 3: [[0, 2, 5], [1, 0, 1], [6, 3, 1]]}
    steps |= {-1: [[5, 6, 4], [1, 3, 4], [3, 1, 4]], 2**64 + 3: steps[3]}
    for seed, expected in steps.items():
        batches = EpochBatches(7, 3, seed=seed)
        assert [batches.indices(step).tolist() for step in (0, 2, 5)] == expected
        assert batches.indices(0).dtype == torch.int64


def test_a_batch_that_ends_with_its_epoch_asks_for_no_other() -> None:
    batches = EpochBatches(8, 4, seed=0)
    for step, epoch in enumerate((0, 0, 1, 1)):
        batches.indices(step)
        assert {*batches._permutations} == {epoch}


def test_only_the_permutations_in_use_are_kept() -> None:
    batches = EpochBatches(10, 4, seed=0)
    for step in range(100):
        batches.indices(step)
        assert len(batches._permutations) <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"batch_size": 11},
            r"batch of 11 samples is larger than the data set of 10.*--batch_size 10",
        ),
        ({"batch_size": 4, "world_size": 3}, r"4 samples on each of 3 processes.*--batch_size 3"),
        ({"batch_size": 6, "world_size": 2}, r"6 samples on each of 2 processes.*--batch_size 5"),
        ({"batch_size": 0}, r"--batch_size must be 1 or more; got 0"),
        ({"batch_size": 2, "rank": 2, "world_size": 2}, r"Rank must lie in 0\.\.1; got 2"),
    ],
)
def test_impossible_batches_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        EpochBatches(10, **arguments, seed=0)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_samples_of_the_next_steps_are_announced_over_epochs_too(rank: int) -> None:
    announced: list[Tensor] = []
    told = EpochBatches(10, 3, seed=0, rank=rank, world_size=2, announce=announced.append)
    plain = EpochBatches(10, 3, seed=0, rank=rank, world_size=2)
    for step in (0, 1, 2, 9):
        announced.clear()
        assert torch.equal(told.indices(step), plain.indices(step))
        wanted = [plain.indices(step + 1), plain.indices(step + 2)]
        assert [each.tolist() for each in announced] == [each.tolist() for each in wanted]
