"""Kills at random moments of every command; the run must end as if nothing had happened."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from functools import partial

from nda.cli import main
from tests.faults.forked import POLL, Child
from tests.faults.tiny_worlds import World
from tests.faults.whole import PATIENCE, Tally, Whole, command, finish

SIGNALS = (signal.SIGKILL,) * 3 + (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MOST = 6  # kills of one run
AGAIN = 0.25  # share of signals that are sent a second time


def kill_often(world: World, whole: Whole, rng: random.Random) -> Tally:
    """Kill a training, each of its resumes, and each use of the run; then let all of them end."""
    world.clear()
    tally, told = Tally(), []
    full = whole.seconds[tuple(world.train)]
    for _ in range(rng.randint(1, MOST)):
        wait = kill_moment(world, full, rng)
        told.append(kill_once(world.go_on, wait, rng, tally))
        if not told[-1]:
            break
    finish(world, whole, tally, f"{world.recipe} killed {', '.join(filter(None, told))}")
    for words in (("evaluate", str(world.run)), *world.uses):
        seconds = rng.uniform(0.02, whole.seconds.get(words, full / 3))
        world.clear_drawn()
        wait = partial(Child.ends_within, seconds=seconds)
        if rng.random() < 0.5 and kill_once(list(words), wait, rng, tally):
            tally.note(f"{world.recipe}: {words[0]} again", command(words).fault(0, 2))
            finish(world, whole, tally, f"{world.recipe}: {words[0]} killed after {seconds:.2f} s")
    return tally


def kill_moment(world: World, full: float, rng: random.Random) -> Callable[[Child], bool]:
    """Waits for any moment of a training, or, half of the time, for one soon after a step.

    Steps are a small part of so short a run, and it is after them that most can be lost.
    """
    if rng.random() < 0.5:
        return partial(Child.ends_within, seconds=rng.uniform(0.02, full))
    rows = _rows(world) + rng.randint(1, 5)
    after = rng.uniform(0, 0.05)

    def wait(child: Child) -> bool:
        until = time.monotonic() + PATIENCE
        while _rows(world) < rows and time.monotonic() < until:
            if child.ends_within(0):
                return True
            time.sleep(POLL)
        return child.ends_within(after)

    return wait


def _rows(world: World) -> int:
    log = world.run / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.is_file() else 0


def kill_once(
    words: list[str], wait: Callable[[Child], bool], rng: random.Random, tally: Tally
) -> str:
    """Wait and send a signal to a command; says which, or nothing where it ended before."""
    number = rng.choice(SIGNALS)
    child, started = Child(partial(main, words)), time.monotonic()
    if wait(child):
        ended = child.end(PATIENCE)
        complete = ended.code == 2 and "is complete" in ended.err
        tally.note(words[0], "" if complete else ended.fault(0))
        return ""
    child.send(number)
    if number != signal.SIGKILL and rng.random() < AGAIN:
        time.sleep(rng.uniform(0, 0.2))
        child.send(number)
    seconds = time.monotonic() - started
    ended = child.end(PATIENCE)
    tally.trials += 1
    what = f"{words[0]} by {number.name} after {seconds:.2f} s"
    tally.note(what, ended.fault(0, 130, 128 + number, -number))
    return what
