"""The run folder: files that are whole or not there, and what is read back from them."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import pytest

from nda.errors import CheckpointError
from nda.training.run_folder import (
    RunFolder,
    atomic_file,
    write_atomically,
    write_text_atomically,
)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    write_text_atomically(path, "λ = 1/4\n")
    write_text_atomically(path, "λ = 1/2\n")
    assert path.read_text(encoding="utf-8") == "λ = 1/2\n"
    assert files_in(tmp_path) == ["note.txt"]
    assert path.stat().st_mode & 0o777 == 0o644  # as other files, not private as temporary ones


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")

    def write(file: BinaryIO) -> None:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"

    write_atomically(path, write)
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_a_writer_that_fails_half_way_leaves_the_old_file(
    tmp_path: Path, fault: BaseException
) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")

    def write(file: BinaryIO) -> None:
        file.write(b"half of the ne")
        raise fault

    with pytest.raises(type(fault)):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert files_in(tmp_path) == ["note.txt"]


def test_a_file_written_bit_by_bit_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")
    with atomic_file(path) as file:
        for number in range(3):
            file.write(b"%d\n" % number)
            file.flush()
            assert path.read_text() == "old"
    assert path.read_text() == "0\n1\n2\n"
    assert files_in(tmp_path) == ["rows.csv"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("fault", [ValueError("a mistake"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("before", [None, "old"])
def test_an_error_half_way_takes_the_unfinished_file_away(
    tmp_path: Path, fault: BaseException, before: str | None
) -> None:
    path = tmp_path / "rows.csv"
    if before is not None:
        path.write_text(before)

    def write() -> None:
        with atomic_file(path) as file:
            file.write(b"half a ro")
            raise fault

    with pytest.raises(type(fault)):
        write()
    assert files_in(tmp_path) == (["rows.csv"] if before else [])
    assert before is None or path.read_text() == before


def test_a_closed_generator_takes_its_unfinished_file_away(tmp_path: Path) -> None:
    def rows() -> Generator[None, None, None]:
        with atomic_file(tmp_path / "rows.csv") as file:
            file.write(b"1")
            yield
            file.write(b"2")

    writing = rows()
    next(writing)
    writing.close()
    assert files_in(tmp_path) == []


def test_a_file_name_of_bytes_that_are_no_text_can_be_written_down(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write_text_atomically(tmp_path / "note.txt", f"λ: {name}")
    assert (tmp_path / "note.txt").read_text(encoding="utf-8") == "λ: caf\\udce9.png"


def test_a_folder_without_settings_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is not a run folder: it has no config\.yaml"):
        RunFolder.open(tmp_path)
    with pytest.raises(CheckpointError, match="nowhere is not a run folder"):
        RunFolder.open(tmp_path / "nowhere")


@pytest.mark.parametrize("text", [b"steps: [1, 2", b"\xff\xfe\x00", b"a: b: c"])
def test_settings_that_are_no_yaml_are_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(text)
    with pytest.raises(CheckpointError, match=r"config\.yaml is not readable YAML"):
        RunFolder.open(tmp_path).config()


@pytest.mark.parametrize("text", ["", "- gan\n", "steps: 10\n"])
def test_settings_without_a_recipe_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match="does not name its recipe"):
        RunFolder.open(tmp_path).config()


def test_settings_never_run_code(tmp_path: Path) -> None:
    target = tmp_path / "made-by-yaml"
    code = f"recipe: !!python/object/apply:pathlib.Path.touch [!!python/name:x '{target}']\n"
    (tmp_path / "config.yaml").write_text(code)
    with pytest.raises(CheckpointError, match="not readable YAML"):
        RunFolder.open(tmp_path).config()
    assert not target.exists()


def test_a_row_cut_short_is_left_out_of_the_log(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.log() == []
    folder.log_path.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "lo')
    assert folder.log() == [{"step": 1, "loss": 0.5}]


def test_evaluations_are_kept_by_step(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.evaluations() == []
    for step, value in ((20, 1.0), (10, 2.0), (20, 3.0)):
        folder.save_evaluation({"step": step, "value": value})
    assert folder.evaluations() == [{"step": 10, "value": 2.0}, {"step": 20, "value": 3.0}]
