"""Ctrl-C, SIGTERM and SIGHUP end a run after the step under way, with a checkpoint.

Anywhere else they end the command as soon as they come, with what it was writing taken away. The
exit code is 128 and the number of the signal, 130 for Ctrl-C, as a shell reckons it.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# By number, for there is no SIGHUP on Windows.
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

AGAIN = 0.05  # seconds after which a signal that was swallowed is raised again


class Interrupted(KeyboardInterrupt):  # no error, as its parent is none
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number


class Stop:
    """Truthy once the user asked to stop."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._waits = True
        self._raised: list[int] = []

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, a signal raises `Interrupted`: for what takes long and may be broken off."""
        if self.signal is not None:
            raise Interrupted(self.signal)
        self._waits = False
        try:
            with _no_other_error(self._raised):
                yield
        finally:
            self._waits = True

    def note(self, number: int) -> None:
        """A signal has come."""
        self.signal = signal.Signals(number)
        if not self._waits:
            self._raised.append(number)
            raise Interrupted(number)

    def __bool__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Within, the first signal only sets the flag; a second one, of any kind, acts at once."""
    stop = Stop()

    def note(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        stop.note(number)

    with _handled(note) as before:
        yield stop


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP end what runs as Ctrl-C does: they raise `Interrupted`."""
    came: list[int] = []

    def act(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise Interrupted(number)

    with _handled(act), _never_swallowed(), _no_other_error(came):
        yield


@contextlib.contextmanager
def _no_other_error(came: list[int]) -> Iterator[None]:
    """Within, what fails after a signal was raised is its consequence.

    Code in C reports an error of its own where a callback into Python was interrupted, as torch
    does while it writes a file.
    """
    try:
        yield
    except Exception as error:
        if came:
            raise Interrupted(came[0]) from error
        raise


@contextlib.contextmanager
def _never_swallowed() -> Iterator[None]:
    """Within, a signal that came where nothing can be raised is raised again a moment later.

    Python prints and forgets what is raised in a destructor or a callback, as the import system,
    the collector of garbage, and foreign code have them: the command would run on. The system's
    own alarm wakes it, not a thread: a callback may hold locks that a new thread needs.
    """
    hook = sys.unraisablehook
    handler: Any = None
    swallowed: list[int] = []

    def again(unraisable: Any) -> None:
        nonlocal handler
        if not isinstance(unraisable.exc_value, Interrupted):
            hook(unraisable)
            return
        swallowed.append(unraisable.exc_value.code - 128)
        if hasattr(signal, "setitimer"):  # not on Windows
            if len(swallowed) == 1:
                handler = signal.signal(signal.SIGALRM, act)
            signal.setitimer(signal.ITIMER_REAL, AGAIN)

    def act(number: int, frame: FrameType | None) -> None:
        raise Interrupted(swallowed[0])

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        if handler is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)


@contextlib.contextmanager
def _handled(handler: Any) -> Iterator[dict[int, Any]]:
    """Another handler for a while; gives those of before. An ignored signal stays so (nohup)."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.getsignal(number)
                signal.signal(number, handler)
    try:
        yield before
    finally:
        for number, former in before.items():
            signal.signal(number, former)
