"""The campaign: parts of trials numbered from 0, each a function of the seed and its number.

Everything runs in children of one process, which has imported what they need.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.faults import disk
from tests.faults.forked import run
from tests.faults.fuzz import Kind, fuzz
from tests.faults.kills import kill_often
from tests.faults.made_inputs import make_inputs, make_run
from tests.faults.operations import drawn_fault, fault_at, operations_of
from tests.faults.readers import kinds
from tests.faults.tiny_worlds import World, make_data, worlds
from tests.faults.whole import Tally, Whole, command, uninterrupted

BATCH = 250  # mutated files of a trial
THROUGHOUT = "linear-probe"  # the recipe in which no operation is left out


@dataclass
class Campaign:
    """Tiny runs of every recipe and sound inputs in a folder, made when they are first needed."""

    home: Path
    seed: int
    recipes: tuple[str, ...] = ()
    _whole: dict[str, Whole] = field(default_factory=dict)
    _seen: dict[str, list[str]] = field(default_factory=dict)
    _kinds: list[Kind] = field(default_factory=list)

    def __post_init__(self) -> None:
        _succeed(partial(make_data, self.home))
        self.worlds = worlds(self.home)
        self.recipes = self.recipes or tuple(self.worlds)
        self.mounts = disk.may_mount(self.home)

    def trial(self, part: str, number: int) -> Tally:
        """One trial of a part; the same seed and number give the same trial."""
        rng = random.Random(f"{self.seed}/{part}/{number}")
        work = {
            "kills": self._kills,
            "operations": self._operations,
            "disk": self._disk,
            "fuzz": self._fuzz,
        }[part]
        return work(number, rng)

    def _kills(self, number: int, rng: random.Random) -> Tally:
        world, whole = self._run_of(self.recipes[number % len(self.recipes)])
        return kill_often(world, whole, rng)

    def _operations(self, number: int, rng: random.Random) -> Tally:
        """Every operation of one recipe is died at, then drawn ones of all recipes."""
        if self.recipes == tuple(self.worlds):
            world, whole = self._run_of(THROUGHOUT)
            if number < len(seen := self._operations_of(world)):
                return fault_at(world, whole, seen, number, "die before")
        world, whole = self._run_of(rng.choice(self.recipes))
        return drawn_fault(world, whole, self._operations_of(world), rng)

    def _disk(self, number: int, rng: random.Random) -> Tally:
        world, whole = self._run_of(rng.choice(self.recipes))
        if number % 4 == 3:
            return disk.denied(world, whole, rng)
        if not self.mounts:
            return Tally()
        return disk.read_only(world) if number % 4 == 2 else disk.full_disk(world, whole, rng)

    def _fuzz(self, number: int, rng: random.Random) -> Tally:
        if not self._kinds:
            _succeed(partial(make_inputs, self.home / "inputs"))
            world = self.worlds["gan"]
            world.clear()
            command(world.train)
            make_run(self.home / "inputs", world.run)
            self._kinds = list(kinds(self.home / "inputs").values())
        kind = self._kinds[number % len(self._kinds)]
        return fuzz(kind, self.seed, number // len(self._kinds) * BATCH, BATCH)

    def _run_of(self, recipe: str) -> tuple[World, Whole]:
        world = self.worlds[recipe]
        if recipe not in self._whole:
            self._whole[recipe] = uninterrupted(world)
        return world, self._whole[recipe]

    def _operations_of(self, world: World) -> list[str]:
        if world.recipe not in self._seen:
            world.clear()
            self._seen[world.recipe] = operations_of(world.train, world.home)
        return self._seen[world.recipe]


PARTS = ("kills", "operations", "disk", "fuzz")


@contextmanager
def whole_trials() -> Iterator[Callable[[], bool]]:
    """Within, Ctrl-C and SIGTERM wait for the trial under way; gives whether one came."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda which, _: asked.append(which))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _succeed(work: Callable[[], int]) -> None:
    ended = run(work, seconds=120)
    if ended.code:
        raise RuntimeError(f"The campaign's own data could not be made: {ended.err[-1000:]}")
