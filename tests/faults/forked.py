"""Trials in forked children of a parent that has imported everything and run nothing of it.

Importing torch takes seconds and a fork a few milliseconds. The parent must never run a parallel
part of torch: its threads would be missing in the children.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

MEMORY = 3 * 2**30  # bytes that a child may map beyond what its parent has mapped
POLL = 0.004  # seconds between two looks at a child
WHERE = signal.SIGUSR2  # makes a child that hangs write what each of its threads is doing
FREED = (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGALRM)


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, or minus the signal that ended it."""

    code: int
    out: str
    err: str
    seconds: float
    in_time: bool

    def fault(self, *allowed: int) -> str:
        """What must never be: a hang, a crash, a traceback, or a code that is not allowed."""
        if not self.in_time:
            return f"hung for {self.seconds:.0f} s: {self.err[-2000:]}"
        if "Traceback (most recent call last)" in self.err:
            return f"traceback: {self.err.strip()[-900:]}"
        if self.code not in allowed:
            return f"ended with {self.code}: {self.err[-300:]}"
        if self.code == 2 and self.err.count("nda: ") < 1:
            return f"ended with 2 and no sentence: {self.err[-300:]}"
        return ""


class Child:
    """A process of its own session that calls `work` and ends with the code it gives."""

    def __init__(self, work: Callable[[], int], *, memory: int = MEMORY) -> None:
        self._streams = tuple(tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115
        self._started = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(work, (self._streams[0].fileno(), self._streams[1].fileno()), memory)

    def ends_within(self, seconds: float) -> bool:
        """Wait; whether it has ended."""
        until = time.monotonic() + seconds
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
            elif time.monotonic() >= until:
                return False
            else:
                time.sleep(POLL)
        return True

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended already."""
        if self._status is None:
            os.kill(self.pid, number)

    def end(self, seconds: float) -> Ended:
        """Wait for its end; where that does not come in time, ask where it is and kill it."""
        in_time = self.ends_within(seconds)
        if not in_time:
            os.kill(self.pid, WHERE)
            self.ends_within(1.0)
        if self._status is None:
            os.killpg(self.pid, signal.SIGKILL)
            _, self._status = os.waitpid(self.pid, 0)
        assert self._status is not None
        texts = []
        for stream in self._streams:
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
            stream.close()
        seconds = time.monotonic() - self._started
        code = os.waitstatus_to_exitcode(self._status)
        return Ended(code, texts[0], texts[1], seconds, in_time)


def run(work: Callable[[], int], *, seconds: float = 60, memory: int = MEMORY) -> Ended:
    """`work` in a child, to its end."""
    return Child(work, memory=memory).end(seconds)


def _become(work: Callable[[], int], streams: tuple[int, int], memory: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        for number in FREED:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(streams[0], 1)
        os.dup2(streams[1], 2)
        faulthandler.register(WHERE, all_threads=True)
        _limit(memory)
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:  # outside of `main`, as a shell sees it
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _limit(memory: int) -> None:
    """Let no allocation go far beyond what is mapped now, and keep no image of a crash."""
    status = Path("/proc/self/statm")
    if memory and status.is_file():
        mapped = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, mapped + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
