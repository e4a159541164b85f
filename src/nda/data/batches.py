"""Which images each step sees: a pure function of seed, step and process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nda.errors import DataError, LargeBatchError

AHEAD = 2  # steps whose samples are announced


class EpochBatches:
    """Batches cut from the endless sequence of epochs, each a fresh permutation of `n` samples.

    A step consumes `batch_size * world_size` successive entries of that sequence, and process
    `rank` takes its own slice of them. The batch of a step depends on nothing that happened
    before, so a resumed run draws what the uninterrupted one would have drawn, and every sample
    is seen once an epoch however many processes share the work.

    `announce` is told the samples of the steps that follow one that is asked for, to fetch them.

    Raises `LargeBatchError` where one step would need more samples than there are.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        announce: Callable[[Tensor], None] | None = None,
    ) -> None:
        if batch_size < 1:
            raise DataError(f"--batch_size must be 1 or more; got {batch_size}.")
        if not 0 <= rank < world_size:
            raise DataError(f"Rank must lie in 0..{world_size - 1}; got {rank}.")
        if batch_size * world_size > n:
            processes = f" on each of {world_size} processes" if world_size > 1 else ""
            raise LargeBatchError(
                f"A batch of {batch_size} samples{processes} is larger than the data set of {n}",
                n // world_size,
            )
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.announce = announce
        self._permutations: dict[int, Tensor] = {}

    def indices(self, step: int) -> Tensor:
        """The samples of this process in step 0, 1, 2, ...: int64 `(batch_size,)` in 0..n-1."""
        steps = range(step, step + 1 + (AHEAD if self.announce else 0))
        first, last = self._start(step) // self.n, self._end(steps[-1]) // self.n
        # A batch touches at most two epochs: those are kept, older ones are forgotten.
        self._permutations = {each: self._permutation(each) for each in range(first, last + 1)}
        rows, *later = map(self._rows, steps)
        for each in later:
            assert self.announce is not None
            self.announce(each)
        return rows

    def _start(self, step: int) -> int:
        return (step * self.world_size + self.rank) * self.batch_size

    def _end(self, step: int) -> int:
        return self._start(step) + self.batch_size - 1

    def _rows(self, step: int) -> Tensor:
        first, last = self._start(step) // self.n, self._end(step) // self.n
        begin = self._start(step) - first * self.n
        sequence = self._permutations[first][begin : begin + self.batch_size]
        if last > first:
            head = self._permutations[last][: self.batch_size - len(sequence)]
            sequence = torch.cat([sequence, head])
        return sequence.clone()

    def _permutation(self, epoch: int) -> Tensor:
        if epoch in self._permutations:
            return self._permutations[epoch]
        # A hash of (seed, epoch): with seed + epoch, neighbouring seeds would share their epochs.
        (key,) = np.random.SeedSequence([self.seed % 2**64, epoch]).generate_state(1, np.uint64)
        rng = torch.Generator().manual_seed(int(key >> np.uint64(1)))
        return torch.randperm(self.n, generator=rng)
