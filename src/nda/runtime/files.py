"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import difflib
import os
import secrets
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nda.errors import ConfigError

A_DAY = 86_400.0  # seconds, after which what no living process owns may go from a shared folder

StrPath = str | os.PathLike[str]  # what every public function takes for a path


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that at every moment either the old or the whole new one is there."""
    with atomic_file(path) as file:
        write(file)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write bit by bit, which becomes `path` at the end and vanishes after an error."""
    # Opened as any other file is, not by tempfile, whose files are private whatever the umask; and
    # under a short name, for that of `path` may be as long as the disk allows.
    temporary = path.with_name(temporary_name())
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """A folder in the one of the file `beside`, to make this in; it is gone at the end.

    What was left there by processes that were killed goes after a day.
    """
    where = beside.absolute().parent
    sweep(where, older=A_DAY)
    folder = where / temporary_name()
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def follow_umask(path: Path) -> None:
    """Give a file that another library wrote as a private one the mode of any new file."""
    like = path.with_name(temporary_name())
    like.touch()
    path.chmod(like.stat().st_mode & 0o777)
    like.unlink()


def temporary_name() -> str:
    """A name for what is not whole yet, by which `sweep` knows whose it is."""
    return f".nda-{os.getpid()}-{secrets.token_hex(4)}.part"


def sweep(folder: Path, *, older: float = 0.0) -> None:
    """Remove what processes that have died left unfinished in `folder`.

    Where processes of other machines may write too, whose life does not show here, only what is
    `older` than so many seconds.
    """
    for path in folder.glob(".nda-*.part"):
        number = path.name.split("-")[1]
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime < older or (
                number.isdecimal() and _is_alive(int(number))
            ):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks only, except on Windows, where files in use cannot be removed
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def prepare_output(out: Path, source: StrPath = "", name: str = "--out") -> Path:
    """`out`, whose folder is made now, so that a wrong place shows before the work is done.

    Raises `ConfigError` as `refuse_within`, and `OSError` where there can be no such folder.
    """
    refuse_within(out, source, name)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    return out


def refuse_within(out: Path, source: StrPath, name: str = "--out") -> None:
    """Refuse (`ConfigError`) what lies within the folder `source`, whose files it would join."""
    if source and within_folder(out, Path(source)):
        raise ConfigError(
            f"{name} {out} lies within {source}, where it would be taken for one of the files to "
            "read; choose a place outside."
        )


def refuse_existing(out: StrPath, overwrite: bool, name: str = "--out") -> None:
    """Refuse (`ConfigError`) to write over a file, or into a folder that holds some."""
    path = Path(out)
    filled = any(path.iterdir()) if path.is_dir() else os.path.lexists(path)
    if filled and not overwrite:
        raise ConfigError(
            f"{name} {out} exists already and would be lost; give another {name}, or --overwrite."
        )


def absent(path: Path) -> str:
    """A sentence on a path at which there is nothing, with the nearest name beside it."""
    lost = next((part for part in (*reversed(path.parents), path) if not part.exists()), path)
    for name in _names_in(lost.parent):
        if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", lost.name):
            return (
                f"There is no {path}. {lost.parent} has the same letters in other Unicode "
                f"characters, {name!a}, where {lost.name!a} was given; let the shell "
                "complete the name."
            )
    siblings = _names_in(path.parent)
    near = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f"Did you mean {path.parent / near[0]}?" if near else "Check the path."
    return f"There is no {path}. {hint}"


def _names_in(folder: Path) -> list[str]:
    """What a folder holds; nothing where there is none that may be read."""
    try:
        return [child.name for child in folder.iterdir()]
    except OSError:
        return []


def within_folder(path: Path, folder: Path) -> bool:
    """Whether `path` is, or would be, something in an existing `folder`."""
    folder = folder.expanduser()
    return folder.is_dir() and path.absolute().resolve().is_relative_to(folder.resolve())


def write_text_atomically(path: Path, text: str) -> None:
    """`write_atomically` for text in UTF-8; bytes of file names that are none are spelled out."""
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def cache_folder(folder: StrPath | None = None) -> Path:
    """`folder`, or else $NDA_CACHE, $XDG_CACHE_HOME/nda or ~/.cache/nda; it need not exist.

    A user without a home, as in a container, has one in the folder of temporary files.
    """
    if folder is not None:
        return Path(folder)
    if chosen := os.environ.get("NDA_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "nda"
    try:
        return Path.home() / ".cache" / "nda"
    except RuntimeError:  # neither $HOME nor a line among the system's users
        return _own_temporary_folder()


def _own_temporary_folder() -> Path:
    """A folder among the temporary files that nobody else may write into."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"nda-cache-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid == user and not folder.is_symlink():
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="nda-cache-"))
