"""Checkpoints: whole or not there, and never a way to run foreign code."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from nda.errors import CheckpointError
from nda.files import write_atomically

FORMAT = 1
_NAME = re.compile(r"step-(\d+)\.pt")


def save_checkpoint(folder: Path, step: int, content: dict[str, Any], *, keep: int) -> Path:
    """Write `step-<n>.pt`, point `latest` at it, then remove all but the `keep` newest.

    Raises `CheckpointError` where the disk refuses; earlier checkpoints are then still whole.
    """
    path = folder / f"step-{step:08d}.pt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            path, lambda file: torch.save({"format": FORMAT, "step": step, **content}, file)
        )
        _point_latest_at(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise CheckpointError(
            f"The checkpoint {path} could not be written ({error}); the last whole one is "
            f"{newest_checkpoint(folder) or 'none'}. Make room or choose another --out."
        ) from error
    for old in _checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that `latest` names, else the one with the highest step, else none."""
    latest = folder / "latest"
    if latest.is_file():
        return latest.resolve()
    found = _checkpoints(folder)
    return found[-1] if found else None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Only tensors and plain values are read: a file with pickled code is refused, and so is a
    damaged one or one of another program (`CheckpointError`).
    """
    try:
        with warnings.catch_warnings():
            # Of a foreign pickle; that it is refused says enough.
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint at {path}; train the run first.") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged or holds pickled code, which is never run; only tensors and plain "
            "values are read. Take another checkpoint of the run, one that nda wrote."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} is damaged or cut short ({type(error).__name__}). Remove it, and the link "
            "'latest' if it points there; the run then resumes from the checkpoint before."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is no checkpoint of this version of nda (format {FORMAT} expected)."
        )
    return content


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name))


def _point_latest_at(path: Path) -> None:
    """Replace the link in one move; copy where the file system has no links."""
    latest = path.parent / "latest"
    fresh = path.parent / f".latest.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    try:
        fresh.symlink_to(path.name)
        fresh.replace(latest)
    except (OSError, NotImplementedError):
        fresh.unlink(missing_ok=True)
        write_atomically(latest, lambda file: file.write(path.read_bytes()))
