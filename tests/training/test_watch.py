"""How a run of several processes ends when one of them is gone, and when it just ends."""

from __future__ import annotations

import subprocess
import sys

from tests.support.processes import PATIENCE

STARTS_ONE = """
import atexit, subprocess, sys, time

atexit.register(time.sleep, 2)  # runs last: what is watched is long gone by then
from nda.training.watch import watch_children

children = []
watch_children(children, "Go on.")
children.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"]))
"""


def ended(what_follows: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", STARTS_ONE + what_follows]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_first_process_ends_as_it_will_and_takes_the_others_along() -> None:
    end = ended("sys.exit(130)")
    assert (end.returncode, end.stderr) == (130, "")


def test_a_process_that_ends_for_its_own_reason_is_not_told_of_the_others() -> None:
    end = ended(
        """from nda.errors import DataError
from nda.training.watch import own_end
try:
    with own_end():
        children.pop().kill()
        children.append(subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"]))
        children[0].wait()
        time.sleep(1)
        raise DataError("both see it")
except DataError:
    time.sleep(6)  # a tracker is closed
    sys.exit(2)"""
    )
    assert (end.returncode, end.stderr) == (2, "")


def test_a_lost_process_ends_the_first_with_a_sentence() -> None:
    end = ended("children[0].kill()\ntime.sleep(30)")
    assert end.returncode == 1
    assert end.stderr == (
        "nda: Process 1 of this run ended by signal 9, so the others stop too. Go on.\n"
    )
