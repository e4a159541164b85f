"""Checkpoints: whole or not there, and never a way to run foreign code."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from nda.errors import CheckpointError
from nda.runtime.files import (
    temporary_name,
    write_atomically,
)
from nda.runtime.notes import tell
from nda.runtime.sealed import DamagedError, check_archive, save_archive
from nda.training.run_folder import RunFolder
from nda.training.watch import is_first_process

FORMAT = 1

_NAME = re.compile(r"step-(\d+)\.pt")

_PARTS = {"step": int, "config": dict, "state": dict}  # what no checkpoint is without


class DamagedCheckpointError(CheckpointError):
    """A checkpoint that is not what was written; the one before it may be whole."""


def save_checkpoint(folder: Path, step: int, content: dict[str, Any], *, keep: int) -> Path:
    """Write `step-<n>.pt`, point `latest` at it, then remove all but the `keep` last written.

    Raises `CheckpointError` where the disk refuses; earlier checkpoints are then still whole.
    """
    path = folder / f"step-{step:08d}.pt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            path, lambda file: save_archive({"format": FORMAT, "step": step, **content}, file)
        )
        _point_latest_at(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise CheckpointError(
            f"The checkpoint {path} could not be written ({error}); the last whole one is "
            f"{newest_checkpoint(folder) or 'none'}. Make room or choose another --out."
        ) from error
    others = [other for other in _checkpoints(folder) if other != path]
    for old in others[: max(0, len(others) - keep + 1)]:
        old.unlink()
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that `latest` names, else the one written last, else none."""
    found = checkpoints_newest_first(folder)
    return found[0] if found else None


def checkpoints_newest_first(folder: Path) -> list[Path]:
    """All checkpoints, the one that `latest` names before the others."""
    latest = folder / "latest"
    named = [latest.resolve()] if latest.is_file() else []
    others = reversed(_checkpoints(folder))
    return named + [path for path in others if path.resolve() not in named]


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Only tensors and plain values are read: a file with pickled code is refused, and so is one of
    another program (`CheckpointError`). `DamagedCheckpointError` where a bit of it has changed.
    """
    try:
        _refuse_damaged(path)
        with warnings.catch_warnings():
            # Of a foreign pickle; that it is refused says enough.
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint at {path}; train the run first.") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged or holds pickled code, which is never run; only tensors and plain "
            "values are read. Take another checkpoint of the run, one that nda wrote."
        ) from error
    except (
        RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError,
        RecursionError, MemoryError,
    ) as error:  # fmt: skip
        raise _damaged(path, type(error).__name__) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is no checkpoint of this version of nda (format {FORMAT} expected)."
        )
    for name, kind in _PARTS.items():
        if not isinstance(content.get(name), kind):
            raise _damaged(path, f"its {name} is missing or no {kind.__name__}")
    return content


def _refuse_damaged(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(2) != b"PK":  # no archive, and read as what it is: a pickle of somebody's
            return
    try:
        check_archive(path)
    except DamagedError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> DamagedCheckpointError:
    return DamagedCheckpointError(
        f"{path} is damaged or cut short ({why}). Put back a copy of it, or train anew if the run "
        "has no other checkpoint."
    )


def _checkpoints(folder: Path) -> list[Path]:
    """In the order in which they were written, which need not be that of their steps.

    A run that went on from an earlier checkpoint has later ones of its former life in its folder.
    """
    found = (path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name))
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def _point_latest_at(path: Path) -> None:
    """Replace the link in one move; copy where the file system has no links."""
    latest = path.parent / "latest"
    fresh = path.parent / temporary_name()
    try:
        fresh.symlink_to(path.name)
        fresh.replace(latest)
    except (OSError, NotImplementedError):
        fresh.unlink(missing_ok=True)
        write_atomically(latest, lambda file: file.write(path.read_bytes()))


def load_latest(folder: RunFolder) -> dict[str, Any]:
    """What the newest checkpoint of a run holds that is whole.

    Damaged ones are passed over, which is said on stderr; where all are damaged, the newest one's
    `DamagedCheckpointError` is raised.
    """
    found = checkpoints_newest_first(folder.checkpoints)
    if not found:
        raise CheckpointError(
            f"{folder.path} holds no checkpoint yet. Train it anew into another --out."
        )
    damaged: list[DamagedCheckpointError] = []
    for path in found:
        try:
            content = load_checkpoint(path)
        except DamagedCheckpointError as error:
            damaged.append(error)
            continue
        if damaged and is_first_process():
            tell(
                f"{found[0]} is damaged; the checkpoint before it is taken in its place, of "
                f"step {content['step']}."
            )
        return content
    raise damaged[0]
