"""A folder is written by one process, and free again when that has ended or died."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from nda.errors import CheckpointError
from nda.training.lock import hold, holder, release

HOLDER = """
import sys, time
from pathlib import Path
from nda.training.lock import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_another_process_is_refused_until_the_first_has_died(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert holder(tmp_path).startswith(f"process {other.pid} on ")
        with pytest.raises(CheckpointError, match=rf"is being written by process {other.pid} on "):
            hold(tmp_path)
        other.kill()
    assert holder(tmp_path) == ""
    hold(tmp_path)
    assert holder(tmp_path) == ""  # this process is no other
    hold(tmp_path)  # the same process may as often as it likes
    release()
    assert not list(tmp_path.iterdir())


def test_without_locks_the_work_goes_on_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(file: object, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("nda.runtime.locks.fcntl.flock", refuse)
    hold(tmp_path)
    assert "on a file system without locks (No locks available)" in capsys.readouterr().err
