from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from nda.errors import DataError
from nda.runtime.signals import ended_by_signals
from nda.runtime.workers.processes import WorkerDiedError, in_processes


def note(folder: Path, number: int) -> None:
    (folder / str(number)).write_text(str(os.getpid()))


def fail_at_two(folder: Path, number: int) -> None:
    if number == 2:
        raise DataError("number 2 is refused.")
    note(folder, number)


def die_at_two(folder: Path, number: int) -> None:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    note(folder, number)


def interrupt_parent_at_two(folder: Path, number: int) -> None:
    if number == 2:
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(0.5)  # work under way when Ctrl-C comes, and finished all the same
    note(folder, number)


def tasks(folder: Path, number: int) -> list[tuple[Path, int]]:
    return [(folder, index) for index in range(number)]


def noted(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.iterdir()}


def test_one_worker_is_this_process(tmp_path: Path) -> None:
    in_processes(note, tasks(tmp_path, 3), 1, "noting")
    assert {path.read_text() for path in tmp_path.iterdir()} == {str(os.getpid())}
    assert noted(tmp_path) == {0, 1, 2}


def test_nothing_to_do_is_done(tmp_path: Path) -> None:
    in_processes(note, [], 4, "noting")
    assert noted(tmp_path) == set()


@pytest.mark.slow
def test_several_workers_are_other_processes(tmp_path: Path) -> None:
    in_processes(note, tasks(tmp_path, 6), 2, "noting")
    assert noted(tmp_path) == set(range(6))
    assert str(os.getpid()) not in {path.read_text() for path in tmp_path.iterdir()}


@pytest.mark.slow
def test_a_killed_worker_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(WorkerDiedError, match="A worker process was killed"):
        in_processes(die_at_two, tasks(tmp_path, 6), 2, "noting")
    assert 2 not in noted(tmp_path)


@pytest.mark.slow
def test_an_error_in_a_worker_comes_out_and_ends_the_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="number 2 is refused"):
        in_processes(fail_at_two, tasks(tmp_path, 500), 2, "noting")
    assert 2 not in noted(tmp_path)
    assert len(noted(tmp_path)) < 499


@pytest.mark.slow
# Ctrl-C can fall into a callback of a weak reference, which swallows it; commands hear it again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_leaves_no_task_half_done(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        in_processes(interrupt_parent_at_two, tasks(tmp_path, 2000), 2, "noting")
    done = noted(tmp_path)
    assert 2 in done
    assert len(done) < 2000
    time.sleep(0.3)
    assert noted(tmp_path) == done  # nobody goes on behind our back
