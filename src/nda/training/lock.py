"""One process at a time writes into a run folder."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
from pathlib import Path
from typing import IO

from nda.errors import CheckpointError
from nda.runtime.locks import NoLocksError, is_locked, is_still, lock
from nda.runtime.notes import tell

NAME = ".lock"
OTHER = "another process"
_held: dict[Path, IO[str]] = {}  # folder to its locked file


def hold(folder: Path) -> None:
    """Keep other processes from writing into a folder, until `release` or this process's death.

    Raises `CheckpointError` where another one holds it, and says who. Where the file system has no
    locks, the work goes on with a note on stderr.
    """
    folder = folder.resolve()
    if folder in _held:
        return
    while True:
        file = (folder / NAME).open("a+", encoding="utf-8")
        try:
            lock(file)
        except BlockingIOError as error:
            file.close()
            raise CheckpointError(
                f"{folder} is being written by {holder(folder) or OTHER}. Wait until that has "
                "ended, or end it; a new run takes another --out."
            ) from error
        except NoLocksError as error:
            file.close()
            tell(
                f"{folder} is on a file system without locks ({error.strerror}); see to it "
                "that no other run is written there."
            )
            return
        if is_still(folder / NAME, file):
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


def holder(folder: Path) -> str:
    """The other process that writes into a folder, in words; empty where there is none."""
    path = folder.resolve() / NAME
    if path.parent in _held or not is_locked(path):
        return ""
    with contextlib.suppress(OSError):
        return " ".join(path.read_text(encoding="utf-8", errors="replace")[:200].split()) or OTHER
    return OTHER
