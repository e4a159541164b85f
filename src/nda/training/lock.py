"""One process at a time writes into a run folder."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import socket
from pathlib import Path
from typing import IO

from nda.errors import CheckpointError
from nda.runtime.notes import tell

try:
    import fcntl
except ImportError:  # pragma: no cover - where there is none, nothing is locked
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_held: dict[Path, IO[str]] = {}  # folder to its locked file


def hold(folder: Path) -> None:
    """Keep other processes from writing into a folder, until `release` or this process's death.

    Raises `CheckpointError` where another one holds it, and says who. Where the file system has no
    locks, the work goes on with a note on stderr.
    """
    folder = folder.resolve()
    if fcntl is None or folder in _held:
        return
    while True:
        file = (folder / NAME).open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = " ".join(file.read(200).split()) or "another process"
            file.close()
            raise CheckpointError(
                f"{folder} is being written by {holder}. Wait until that has ended, or end it; "
                "a new run takes another --out."
            ) from error
        except OSError as error:
            file.close()
            if error.errno not in _NO_LOCKS:
                raise
            tell(
                f"{folder} is on a file system without locks ({error.strerror}); see to it "
                "that no other run is written there."
            )
            return
        if _is_still(folder / NAME, file):
            break
        file.close()  # its last holder removed it between our two steps
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    _held[folder] = file
    atexit.register(release)


def release() -> None:
    """Let others write into the folders that this process holds."""
    while _held:
        _, file = _held.popitem()
        # Removed while it is held: whoever has opened it meanwhile sees that, and opens anew.
        with contextlib.suppress(OSError):
            Path(file.name).unlink()
        file.close()


def _is_still(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
