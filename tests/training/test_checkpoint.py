"""Checkpoints: whole or not there, pruned, and never a way to run foreign code."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.errors import CheckpointError
from nda.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint


def content(value: float) -> dict[str, Any]:
    return {"state": {"weight": torch.full((2000,), value)}, "config": {"seed": 3, "data": None}}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "checkpoints", 7, content(1.5), keep=2)
    loaded = load_checkpoint(path)
    assert path.name == "step-00000007.pt"
    assert loaded["step"] == 7
    assert loaded["config"] == {"seed": 3, "data": None}
    assert torch.equal(loaded["state"]["weight"], torch.full((2000,), 1.5))


def test_latest_moves_and_old_ones_go(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        save_checkpoint(tmp_path, step, content(step), keep=2)
        assert load_checkpoint(tmp_path / "latest")["step"] == step
    assert names_in(tmp_path) == ["latest", "step-00000015.pt", "step-00000020.pt"]


def test_latest_holds_after_the_folder_has_moved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "here", 5, content(5), keep=1)
    (tmp_path / "here").rename(tmp_path / "there")
    newest = newest_checkpoint(tmp_path / "there")
    assert newest is not None
    assert load_checkpoint(newest)["step"] == 5


def test_the_newest_is_found_without_latest(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    for step in (9, 10):
        save_checkpoint(tmp_path, step, content(step), keep=2)
    (tmp_path / "latest").unlink()
    assert newest_checkpoint(tmp_path) == tmp_path / "step-00000010.pt"


def test_the_one_before_is_found_when_the_newest_is_taken_away(tmp_path: Path) -> None:
    for step in (9, 10):
        save_checkpoint(tmp_path, step, content(step), keep=2)
    (tmp_path / "step-00000010.pt").unlink()  # `latest` points at nothing now
    assert newest_checkpoint(tmp_path) == tmp_path / "step-00000009.pt"


def test_a_file_system_without_links_gets_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    for step in (1, 2):
        save_checkpoint(tmp_path, step, content(step), keep=1)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert load_checkpoint(newest)["step"] == 2
    assert names_in(tmp_path) == ["latest", "step-00000002.pt"]


@contextlib.contextmanager
def room_for(count: int) -> Iterator[None]:
    """Within, no file may grow beyond `count` bytes: the operating system refuses to write on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_without_room_the_last_whole_checkpoint_stays(tmp_path: Path) -> None:
    kept = save_checkpoint(tmp_path, 1, content(1), keep=1)
    message = rf"step-00000002\.pt could not be written \(.*\); the last whole one is {kept}\."
    with room_for(4096), pytest.raises(CheckpointError, match=message):
        save_checkpoint(tmp_path, 2, content(2), keep=1)
    assert names_in(tmp_path) == ["latest", "step-00000001.pt"]
    assert load_checkpoint(tmp_path / "latest")["step"] == 1


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos 64")]
)
def test_a_full_disk_however_torch_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def save(content: object, file: Any) -> None:
        file.write(b"half")
        raise fault

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(CheckpointError, match=r"the last whole one is none\. Make room"):
        save_checkpoint(tmp_path, 1, content(1), keep=1)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_checkpoint_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = save_checkpoint(tmp_path, 1, content(1), keep=1)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"step-00000001\.pt is damaged"):
        load_checkpoint(path)


def test_pickled_code_is_refused_and_not_run(tmp_path: Path) -> None:
    target, path = tmp_path / "made-by-the-trap", tmp_path / "step-00000001.pt"
    torch.save({"format": 1, "step": 1, "state": Trap(target)}, path)
    with pytest.raises(CheckpointError, match="holds pickled code, which is never run"):
        load_checkpoint(path)
    assert not target.exists()
    torch.load(path, weights_only=False)  # the trap does work where code is let in
    assert target.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    target, path = tmp_path / "made-by-the-trap", tmp_path / "step-00000001.pt"
    path.write_bytes(pickle.dumps(Trap(target), protocol))
    with pytest.raises(CheckpointError, match=r"step-00000001\.pt is damaged"):
        load_checkpoint(path)
    assert not target.exists()


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "step-00000001.pt"
    for other in ({"weight": torch.ones(2)}, {"format": 99, "step": 1}, [torch.ones(2)]):
        torch.save(other, path)
        with pytest.raises(CheckpointError, match="no checkpoint of this version of nda"):
            load_checkpoint(path)


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no checkpoint at .*step-00000001\.pt"):
        load_checkpoint(tmp_path / "step-00000001.pt")


def test_what_was_written_last_is_the_newest_whatever_its_step(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 20, content(20), keep=1)
    os.utime(tmp_path / "step-00000020.pt", (0, 0))
    path = save_checkpoint(tmp_path, 10, content(10), keep=2)
    (tmp_path / "latest").unlink()
    assert newest_checkpoint(tmp_path) == path
    save_checkpoint(tmp_path, 11, content(11), keep=2)
    assert names_in(tmp_path) == ["latest", "step-00000010.pt", "step-00000011.pt"]
