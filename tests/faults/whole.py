"""The uninterrupted run that every interrupted one must equal, and how one is finished."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial

from nda.cli import main
from tests.faults.forked import Ended, run
from tests.faults.same_run import differences, print_digest
from tests.faults.tiny_worlds import World

PATIENCE = 90  # seconds until a command counts as hung; the machine may be busy


@dataclass
class Tally:
    """What trials have found: how many there were, and what was wrong."""

    trials: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, what: str, fault: str) -> None:
        if fault:
            self.faults.append(f"{what}: {fault}")

    def add(self, other: Tally) -> None:
        self.trials += other.trials
        self.faults += other.faults


@dataclass(frozen=True)
class Whole:
    """What an uninterrupted run left behind, how long each command took, and its bytes."""

    digest: dict[str, str]
    seconds: dict[tuple[str, ...], float]
    size: int


def command(words: list[str] | tuple[str, ...]) -> Ended:
    """A command line in a child, to its end."""
    return run(partial(main, list(words)), seconds=PATIENCE)


def uninterrupted(world: World) -> Whole:
    """Train, then use the run; raises `RuntimeError` where that alone fails."""
    world.clear()
    seconds = {}
    for words in (tuple(world.train), *world.uses):
        ended = command(words)
        if fault := ended.fault(0):
            raise RuntimeError(f"{world.recipe}: {' '.join(words[:2])}: {fault}")
        seconds[words] = ended.seconds
    size = sum(path.lstat().st_size for path in world.home.rglob("*") if path.is_file())
    return Whole(digest(world), seconds, size)


def digest(world: World) -> dict[str, str]:
    """Of a run and of what was drawn from it; a fault of the reading is an entry of its own."""
    ended = run(partial(print_digest, world.home), seconds=PATIENCE)
    return dict(json.loads(ended.out)) if ended.code == 0 else {ended.err[-300:]: "unreadable"}


def finish(world: World, whole: Whole, tally: Tally, what: str) -> None:
    """Go on with an interrupted run to its end, use it, and compare it with the whole one."""
    ended = command(world.go_on)
    if "holds no checkpoint yet" in ended.err:
        tally.note(what, "a run without a checkpoint can be neither resumed nor trained")
        world.clear()
        ended = command(world.train)
    complete = ended.code == 2 and "is complete" in ended.err
    tally.note(f"{what}, then resume", "" if complete else ended.fault(0))
    world.clear_drawn()
    for words in world.uses:
        tally.note(f"{what}, then {words[0]}", command(words).fault(0))
    tally.note(what, differences(whole.digest, digest(world)))
