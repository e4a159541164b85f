"""A run of several processes ends, with a sentence, when one of them is gone.

Without it the others wait for the lost one in their next common step, or fail there with a trace
of the library that tells of a closed connection.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from nda.errors import UserError

_PARENT = "NDA_FIRST_PROCESS"
LOST = 1  # the exit code of those that are left
_EVERY = 0.5  # seconds between two looks
_PATIENCE = 10.0  # seconds in which a failure in a common step is told to be a lost process's
_SAME_END = 5.0  # seconds in which this process may end for the reason for which another one did
_watching = threading.Event()


def is_first_process() -> bool:
    """Whether this is the process that was typed, not one that it started for another device."""
    ranks = ("LOCAL_RANK", "RANK", "SLURM_PROCID")  # SLURM gives its processes the last alone
    return all(os.environ.get(name, "0") == "0" for name in ranks)


def watch_children(processes: Sequence[subprocess.Popen[bytes]], what_next: str) -> None:
    """End this process when one of those it starts is gone; ends them when this one ends.

    To be called before they are started, who learn from the environment whom to watch.
    """
    os.environ[_PARENT] = str(os.getpid())
    _start(lambda: _lost_child(processes), what_next, processes)
    atexit.register(_end, processes)


def watch_parent(what_next: str) -> None:
    """End this process when the one that started it is gone."""
    parent = int(os.environ.get(_PARENT, os.getppid()))  # it may be gone already

    def gone() -> str:
        return "" if os.getppid() == parent else "The first process of this run was ended"

    _start(gone, what_next, ())


@contextlib.contextmanager
def own_end() -> Iterator[None]:
    """Within, a refusal or a signal ends this process by itself: the watch has nothing to tell."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        _watching.clear()
        raise


@contextlib.contextmanager
def lost_processes_told() -> Iterator[None]:
    """Within, the failure that follows from a lost process is left to the watch to tell."""
    try:
        with own_end():
            yield
    except RuntimeError:
        if _watching.is_set():
            time.sleep(_PATIENCE)  # the watch ends this process where another one is gone
        raise


def _lost_child(processes: Sequence[subprocess.Popen[bytes]]) -> str:
    for rank, process in enumerate(processes, start=1):
        code = process.poll()
        if code:
            if code > 0:  # by itself, and likely for a reason that this process meets as well
                time.sleep(_SAME_END)
            how = f"by signal {-code}" if code < 0 else f"with code {code}"
            return f"Process {rank} of this run ended {how}"
    return ""


def _start(lost: object, what_next: str, processes: Sequence[subprocess.Popen[bytes]]) -> None:
    assert callable(lost)

    def look() -> None:
        while not (found := lost()):
            time.sleep(_EVERY)
        if not _watching.is_set():
            return
        print(f"nda: {found}, so the others stop too. {what_next}", file=sys.stderr, flush=True)
        _kill(processes)
        os._exit(LOST)

    _watching.set()
    threading.Thread(target=look, daemon=True, name="lost-processes").start()


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill them at this process's own end: from here on the watch has nothing to tell."""
    _watching.clear()
    _kill(processes)


def _kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
