"""Disks that are full, may only be read, or belong to somebody else: real ones, in memory.

A child mounts a small file system in a name space of its own, which vanishes with it. Where that
is not permitted (`may_mount`), these trials are left out.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.faults.forked import run
from tests.faults.tiny_worlds import World
from tests.faults.whole import PATIENCE, Tally, Whole, command, digest, finish

NEW_MOUNTS, PRIVATE, REMOUNT, READ_ONLY = 0x20000, (1 << 18) | (1 << 14), 32, 1
PLENTY = 256 * 2**20
NOBODY = 65534


def may_mount(folder: Path) -> bool:
    """Whether this process may mount file systems for its children."""
    return sys.platform == "linux" and run(partial(_mounted, folder)).code == 0


def full_disk(world: World, whole: Whole, rng: random.Random) -> Tally:
    """A disk too small for the run, by a drawn amount; then there is room and the run goes on."""
    size = rng.randrange(4096, int(whole.size * 1.2))
    return _held(world, partial(_fill, world, whole, size))


def read_only(world: World) -> Tally:
    """A finished run on a disk that may only be read: every command says so, nothing changes."""
    return _held(world, partial(_read_only, world))


def _held(world: World, trial: Callable[[Tally], None]) -> Tally:
    """A trial in a child that holds the mount."""

    def hold() -> int:
        tally = Tally(trials=1)
        _mount(world.home, PLENTY)
        trial(tally)
        json.dump(vars(tally), sys.stdout)
        return 0

    world.home.mkdir(parents=True, exist_ok=True)
    ended = run(hold, seconds=8 * PATIENCE, memory=0)
    if ended.code:
        return Tally(1, [f"{world.recipe}: the trial itself failed: {ended.err[-500:]}"])
    return Tally(**json.loads(ended.out))


def _fill(world: World, whole: Whole, size: int, tally: Tally) -> None:
    _mount(world.home, size, REMOUNT)
    world.clear()
    what = f"{world.recipe} on a disk of {size} bytes"
    tally.note(what, command(world.train).fault(0, 2))
    _mount(world.home, PLENTY, REMOUNT)
    finish(world, whole, tally, what)


def _read_only(world: World, tally: Tally) -> None:
    world.clear()
    command(world.train)
    before = digest(world)
    _mount(world.home, PLENTY, REMOUNT | READ_ONLY)
    run_folder = str(world.run)
    words = [["evaluate", run_folder], ["report", run_folder], *map(list, world.uses)]
    for each in (*words, ["resume", run_folder, "--steps", "9"]):
        tally.note(f"{world.recipe}: {each[0]} on a disk to read only", command(each).fault(2))
    if digest(world) != before:
        tally.note(world.recipe, "a disk to read only was changed")


def denied(world: World, whole: Whole, rng: random.Random) -> Tally:
    """Files and folders that may not be read or written by the one who runs the command."""
    world.clear()
    command(world.train)
    inside = sorted(path for path in world.run.rglob("*") if "tensorboard" not in path.parts)
    place = rng.choice([world.run, *inside])
    mode = rng.choice((0o000, 0o444, 0o555))
    tally = Tally(trials=1)
    before = {path: path.lstat().st_mode for path in inside}
    for path in (world.home, world.run, *inside):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    place.chmod(mode)
    for verb in ("evaluate", "resume", "report"):
        what = f"{world.recipe}: {verb} where {place.name} has the mode {mode:o}"
        ended = run(partial(_as_nobody, [verb, str(world.run)]), seconds=PATIENCE)
        tally.note(what, ended.fault(0, 2))
    for path, kept in before.items():
        if path.exists() and not path.is_symlink():
            path.chmod(kept & 0o777)
    world.run.chmod(0o755)
    finish(world, whole, tally, f"{world.recipe}: {place.name} had the mode {mode:o}")
    return tally


def _as_nobody(words: list[str]) -> int:
    from nda.cli import main

    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return main(words)


def _mounted(folder: Path) -> int:
    try:
        _mount(folder, 65536)
    except OSError:
        return 1
    return 0


def _mount(folder: Path, size: int, flags: int = 0) -> None:
    """Mount a file system of so many bytes in a name space of this process, or change it."""
    system = ctypes.CDLL(None, use_errno=True)
    if not flags:
        _succeed(system.unshare(NEW_MOUNTS))
        _succeed(system.mount(b"none", b"/", None, PRIVATE, None))
    where, options = os.fsencode(folder), f"size={size}".encode()
    _succeed(system.mount(b"tmpfs", where, b"tmpfs", flags, options))


def _succeed(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
