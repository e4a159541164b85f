"""`nda` in processes of its own, and how far they have come."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nda.training.run_folder import RunFolder

PATIENCE = 240  # seconds; a busy machine needs a good part of it to import torch alone


@contextmanager
def started(
    words: list[str], *, through: Sequence[str] = (), **told: str
) -> Iterator[subprocess.Popen[str]]:
    """`nda` as a process group of its own, which never outlives the test.

    `through` are words of Python before it, such as those of a module that starts others, and
    `told` are variables of its environment.
    """
    process = subprocess.Popen(
        [sys.executable, *through, "-m", "nda", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | told,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_steps(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Until the log has `count` rows."""
    for _ in range(PATIENCE * 20):
        if len(RunFolder(folder).log()) >= count or process.poll() is not None:
            return
        time.sleep(0.05)
    raise TimeoutError(f"{folder} has no {count} steps")
