"""Files that one process at a time may write, where the file system knows locks."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # pragma: no cover - where there is none, nothing is locked
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class NoLocksError(OSError):
    """The file system has no locks."""


def lock(file: IO[Any]) -> None:
    """Lock an open file until it is closed, or this process dies.

    Raises `BlockingIOError` where another process has it, and `NoLocksError` where there are no
    locks.
    """
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoLocksError(error.errno, error.strerror) from error
        raise


def is_still(path: Path, file: IO[Any]) -> bool:
    """Whether an open file is what lies at `path`, not one that was removed before its lock."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether another process has a file locked."""
    try:
        with path.open("rb") as file:
            lock(file)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
