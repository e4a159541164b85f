"""A run of two processes of which one is killed: a sentence, and the other ends too."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nda.training.checkpoint import newest_checkpoint
from tests.support.processes import PATIENCE, started, wait_for_steps
from tests.support.tiny_run import train

SOON = 30  # seconds in which all must have ended
FIRST = "nda: The first process of this run was ended, so the others stop too."
SECOND = "nda: Process 1 of this run ended by signal 9, so the others stop too."


def begun(folder: Path, process: subprocess.Popen[str]) -> None:
    """The second process has been started, and is still loading torch."""


def in_the_middle(folder: Path, process: subprocess.Popen[str]) -> None:
    wait_for_steps(folder, 3, process)


def while_measuring(folder: Path, process: subprocess.Popen[str]) -> None:
    """The checkpoint of step 2 is written before its evaluation, which is endless here."""
    until((folder / "checkpoints" / "step-00000002.pt").is_file, process)
    time.sleep(1)


def until(done: Callable[[], object], process: subprocess.Popen[str]) -> None:
    for _ in range(PATIENCE * 20):
        if done() or process.poll() is not None:
            return
        time.sleep(0.05)
    raise TimeoutError


def children(process: int) -> list[int]:
    """The processes of the run that it has started; it may ask other programs, too."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split() if is_of_the_run(word)]


def is_of_the_run(process: str) -> bool:
    try:
        return b"train" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("when", [begun, in_the_middle, while_measuring])
@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_is_killed_all_end_with_a_sentence(
    image_folder: Path, tmp_path: Path, rank: int, when: Callable[..., None]
) -> None:
    folder = tmp_path / "run"
    endless = {"steps": "1000000", "devices": "2", "joint_forward": "false"}
    if when is while_measuring:
        endless |= {"evaluate_every": "2", "evaluation_samples": "1000000"}
    with started(train(image_folder, folder, **endless)) as process:
        until(lambda: children(process.pid), process)
        when(folder, process)
        assert process.poll() is None, process.communicate()
        other = children(process.pid)[-1]
        os.kill((process.pid, other)[rank], signal.SIGKILL)
        before = time.monotonic()
        _, err = process.communicate(timeout=PATIENCE)  # until both have closed their ends
        took = time.monotonic() - before
    assert (FIRST, SECOND)[rank] in err, err
    assert "Traceback" not in err
    assert process.returncode == (-signal.SIGKILL, 1)[rank]
    assert took < (PATIENCE if when is begun else SOON)  # it notices once torch is there
    if when is not begun:
        assert newest_checkpoint(folder / "checkpoints") is not None
