"""What the house remarks on the way: on stderr for a command, in a list for a caller in Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[list[str] | None] = ContextVar("listener", default=None)
_said: set[str] = set()


def tell(note: str, *, once: bool = False) -> None:
    """Remark something; `once` in a process, however often it is noticed."""
    heard = _listener.get()
    if heard is not None:
        if note not in heard:
            heard.append(note)
        return
    if not (once and note in _said):
        print(f"nda: {note}", file=sys.stderr, flush=True)
    if once:
        _said.add(note)


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Within, remarks go into the list, each of them once, and no progress is shown."""
    heard: list[str] = []
    token = _listener.set(heard)
    try:
        yield heard
    finally:
        _listener.reset(token)


def progress_is_shown() -> bool:
    """Whether somebody looks: a terminal, and no caller in Python who wants no output."""
    return _listener.get() is None and sys.stderr.isatty()
