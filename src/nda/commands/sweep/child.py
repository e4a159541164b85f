"""A trial's run in a process of its own, told by its evaluations as they come."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nda.errors import ConfigError, TrainingError
from nda.evaluation.record import Evaluation
from nda.runtime.signals import SIGNALS
from nda.training.lock import holder
from nda.training.run_folder import RunFolder

ENDED_BY_SIGNALS = {128 + number for number in SIGNALS}  # with a checkpoint
PAUSE = 0.5  # seconds between looks


class FailedTrialError(TrainingError):
    """A trial whose run ended with an error; the others may do."""


def evaluations_of(folder: Path, words: list[str], steps: int) -> Iterator[Evaluation]:
    """Every evaluation of a run, oldest first; it is trained, or goes on, meanwhile.

    Whoever looks no further stops the run, which keeps a checkpoint. Raises `FailedTrialError`
    where it ends with an error.
    """
    seen = 0
    process = None if _is_complete(folder, steps) else _begin(folder, words)
    try:
        while True:
            ended = process is None or process.poll() is not None
            found = RunFolder(folder).evaluations()
            yield from map(Evaluation.from_dict, found[seen:])
            seen = len(found)
            if ended:
                break
            time.sleep(PAUSE)
        if process is not None and process.returncode:
            _refuse(folder, process.returncode)
    finally:
        if process is not None and process.poll() is None:
            process.terminate()  # SIGTERM: the run keeps a checkpoint
            process.wait()


def _begin(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    begun = RunFolder(folder).config_path.exists()
    if writer := holder(folder):
        raise ConfigError(
            f"{folder} is still trained by {writer}, of a sweep that was ended. Wait until that "
            "has ended too, or end it."
        )
    command = ["resume", str(folder)] if begun else ["train", *words]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _log(folder).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "nda", *command],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ),
            # A terminal's Ctrl-C does not reach it: a second signal, from `evaluations_of`, would
            # break off the checkpoint.
            start_new_session=True,
        )


def _is_complete(folder: Path, steps: int) -> bool:
    """Whether the run has been measured at its last step, and has its page."""
    measured = RunFolder(folder).evaluations()
    return bool(measured) and measured[-1]["step"] >= steps and (folder / "report.html").exists()


def _refuse(folder: Path, code: int) -> None:
    if code in ENDED_BY_SIGNALS:
        raise KeyboardInterrupt
    text = _log(folder).read_text(encoding="utf-8", errors="replace").strip()
    last = "".join(text.splitlines()[-1:]) or f"exit code {code}"
    raise FailedTrialError(f"The run {folder} failed ({last}); {_log(folder)} tells more.")


def _log(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")
