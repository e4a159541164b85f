"""Kills at random moments of every command; the run must end as if nothing had happened."""

from __future__ import annotations

import random
import signal
import time
from functools import partial

from forked import Child
from tiny_worlds import World
from whole import PATIENCE, Tally, Whole, command, finish

from nda.cli import main

SIGNALS = (signal.SIGKILL,) * 3 + (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MOST = 6  # kills of one run
AGAIN = 0.25  # share of signals that are sent a second time


def kill_often(world: World, whole: Whole, draws: random.Random) -> Tally:
    """Kill a training, each of its resumes, and each use of the run; then let all of them end."""
    world.clear()
    tally, told = Tally(), []
    full = whole.seconds[tuple(world.train)]
    for _ in range(draws.randint(1, MOST)):
        told.append(kill_once(world.go_on, draws.uniform(0.02, full), draws, tally))
        if not told[-1]:
            break
    finish(world, whole, tally, f"{world.recipe} killed {', '.join(filter(None, told))}")
    for words in (("evaluate", str(world.run)), *world.uses):
        seconds = draws.uniform(0.02, whole.seconds.get(words, full / 3))
        world.clear_drawn()
        if draws.random() < 0.5 and kill_once(list(words), seconds, draws, tally):
            tally.note(f"{world.recipe}: {words[0]} again", command(words).fault(0, 2))
            finish(world, whole, tally, f"{world.recipe}: {words[0]} killed after {seconds:.2f} s")
    return tally


def kill_once(words: list[str], seconds: float, draws: random.Random, tally: Tally) -> str:
    """Send a signal to a command after so long; says which, or nothing where it ended before."""
    number = draws.choice(SIGNALS)
    child = Child(partial(main, words))
    if child.ends_within(seconds):
        ended = child.end(PATIENCE)
        complete = ended.code == 2 and "is complete" in ended.err
        tally.note(words[0], "" if complete else ended.fault(0))
        return ""
    child.send(number)
    if number != signal.SIGKILL and draws.random() < AGAIN:
        time.sleep(draws.uniform(0, 0.2))
        child.send(number)
    ended = child.end(PATIENCE)
    tally.trials += 1
    what = f"{words[0]} by {number.name} after {seconds:.2f} s"
    tally.note(what, ended.fault(0, 130, 128 + number, -number))
    return what
