"""Faults at single file operations: a command dies, or the disk refuses, at exactly one of them."""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import json
import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nda.cli import main
from tests.faults.forked import run
from tests.faults.tiny_worlds import World
from tests.faults.whole import PATIENCE, Tally, Whole, finish

CHANGES = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "symlink", "link", "truncate")
ACTS = ("die before", "die after", "ENOSPC", "EACCES", "EIO")


class Operations:
    """Counts what a process does to files of a folder, and acts at the operation `at`."""

    def __init__(self, folder: Path, at: int, act: str) -> None:
        self.folder, self.at, self.act = os.path.realpath(folder), at, act
        self.seen: list[str] = []

    def install(self) -> None:
        """Stand before the functions of Python through which files are changed."""
        modules: Any = (os, io, builtins)
        for name in CHANGES:
            setattr(os, name, self._watched(name, getattr(os, name), lambda *_: True))
        os.fsync = self._watched("fsync", os.fsync, lambda *_: True)
        opened = self._watched("open", io.open, _writes)
        modules[1].open = modules[2].open = opened
        modules[0].open = self._watched("os.open", os.open, _creates)

    def _watched(
        self, name: str, function: Callable[..., Any], counts: Callable[..., bool]
    ) -> Callable[..., Any]:
        def watched(*words: Any, **options: Any) -> Any:
            paths = [self._path(word) for word in words[:2]]
            if not counts(*words, *options.values()) or not any(map(self._inside, paths)):
                return function(*words, **options)
            number = len(self.seen)
            self.seen.append(f"{name} {' '.join(filter(None, map(self._short, paths)))}")
            if number != self.at:
                return function(*words, **options)
            if self.act == "die before":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.act == "die after":
                with contextlib.suppress(OSError):
                    function(*words, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            code = getattr(errno, self.act)
            raise OSError(code, os.strerror(code), paths[0])

        return watched

    def _path(self, word: Any) -> str:
        if isinstance(word, int) and not isinstance(word, bool) and word > 2:
            try:
                return str(Path(f"/proc/self/fd/{word}").readlink())
            except OSError:
                return ""
        return str(Path(word).absolute()) if isinstance(word, str | os.PathLike) else ""

    def _inside(self, path: str) -> bool:
        return path.startswith(self.folder + "/") and "/tensorboard" not in path

    def _short(self, path: str) -> str:
        return Path(path).name if self._inside(path) else ""


def operations_of(words: list[str], folder: Path) -> list[str]:
    """What a command does to the files of a folder, in order."""
    note = folder.parent / f"{folder.name}.operations"
    run(partial(_listed, words, folder, note), seconds=PATIENCE)
    seen = json.loads(note.read_text())
    note.unlink()
    return list(seen)


def fault_at(world: World, whole: Whole, seen: list[str], at: int, act: str) -> Tally:
    """A training in which one operation goes wrong, and what a user does then."""
    world.clear()
    tally = Tally(trials=1)
    ended = run(partial(_faulty, world.train, world.home, at, act), seconds=PATIENCE)
    what = f"{world.recipe}: {act} at operation {at} ({seen[at]})"
    allowed = (-signal.SIGKILL,) if act.startswith("die") else (0, 2)
    tally.note(what, ended.fault(*allowed))
    finish(world, whole, tally, what)
    return tally


def drawn_fault(world: World, whole: Whole, seen: list[str], rng: random.Random) -> Tally:
    """`fault_at` an operation and with an act that are drawn."""
    return fault_at(world, whole, seen, rng.randrange(len(seen)), rng.choice(ACTS))


def _faulty(words: list[str], folder: Path, at: int, act: str) -> int:
    Operations(folder, at, act).install()
    return main(words)


def _listed(words: list[str], folder: Path, note: Path) -> int:
    operations = Operations(folder, -1, "")
    operations.install()
    code = main(words)
    note.write_text(json.dumps(operations.seen))
    return code


def _writes(*words: Any) -> bool:
    return any(
        isinstance(word, str) and set(word) & set("wax+") and len(word) < 4 for word in words[1:2]
    )


def _creates(*words: Any) -> bool:
    return isinstance(words[1], int) and bool(words[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
