"""Runs side by side: what is begun, gone on with, and kept at Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nda.commands.quickstart.parallel import _words
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from tests.support.processes import PATIENCE
from tests.support.tiny_run import TINY

TOGETHER = """
import sys
from pathlib import Path

from nda.commands.quickstart.parallel import train_together
from nda.runtime.signals import ended_by_signals

try:
    with ended_by_signals():
        train_together({Path(sys.argv[1]): dict(word.split("=", 1) for word in sys.argv[2:])})
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_run_that_has_no_checkpoint_yet_goes_on_too(tmp_path: Path) -> None:
    settings = {"steps": 5, "seed": 1}
    assert _words(tmp_path / "run", settings, "gan")[:2] == ["train", "gan"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    words = ["resume", str(tmp_path / "run"), "--steps", "5"]
    assert _words(tmp_path / "run", settings, "gan") == words


@pytest.mark.slow
def test_ctrl_c_at_a_terminal_keeps_the_last_step(image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = TINY | {"data": str(image_folder), "steps": "1000000", "checkpoint_every": "1000000"}
    words = [sys.executable, "-c", TOGETHER, str(folder)]
    words += [f"{name}={value}" for name, value in settings.items()]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while not RunFolder(folder).log() and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
    step = load_checkpoint(folder / "checkpoints" / "latest")["step"]
    assert step == len(RunFolder(folder).log()) > 0
