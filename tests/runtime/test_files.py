"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import unicodedata
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import pytest

from nda.errors import ConfigError
from nda.runtime.files import (
    absent,
    atomic_file,
    prepare_output,
    sweep,
    temporary_folder,
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


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_file_is_as_private_as_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_text_atomically(tmp_path / "note.txt", "λ")
    finally:
        os.umask(before)
    assert (tmp_path / "note.txt").stat().st_mode & 0o777 == mode


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".txt")
    write_text_atomically(path, "λ")
    assert files_in(tmp_path) == [path.name]


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


def test_an_output_among_the_files_to_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    for out, source in (("a.png", "."), ("../photos/deep/a.png", str(tmp_path / "photos"))):
        with pytest.raises(ConfigError, match=r"--out .* lies within .*; choose a place outside"):
            prepare_output(Path(out), source)
    assert not list((tmp_path / "photos").iterdir())
    assert prepare_output(Path("../new/a.png"), ".").parent.is_dir()
    assert prepare_output(Path("a.png"), "photos.zip") == Path("a.png")


def test_a_place_that_can_be_no_folder_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        prepare_output(tmp_path / "file" / "page.html")


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_what_dead_processes_left_unfinished_is_removed(tmp_path: Path) -> None:
    dead = dead_process()
    (tmp_path / f".nda-{dead}-0a.part").write_bytes(b"x")
    (tmp_path / f".nda-{dead}-0b.part").mkdir()
    (tmp_path / f".nda-{dead}-0b.part" / "inner").write_bytes(b"x")
    (tmp_path / "kept").mkdir()
    (tmp_path / f".nda-{dead}-0c.part").symlink_to(tmp_path / "kept")
    (tmp_path / ".nda-odd-0d.part").write_bytes(b"x")
    kept = {f".nda-{os.getpid()}-0e.part", "scores.csv.part", f".nda-{dead}-0f.txt", "kept"}
    for name in kept - {"kept"}:
        (tmp_path / name).write_bytes(b"x")
    sweep(tmp_path, older=60)
    assert len(files_in(tmp_path)) == 8
    sweep(tmp_path)
    assert set(files_in(tmp_path)) == kept
    sweep(tmp_path / "nowhere")


def test_a_temporary_folder_is_gone_at_the_end_and_those_of_the_killed_after_a_day(
    tmp_path: Path,
) -> None:
    killed, fresh = (tmp_path / f".nda-{2**22 + number}-ab.part" for number in range(2))
    for folder in (killed, fresh):
        folder.mkdir()
        (folder / "model.bin").touch()
    os.utime(killed, (0, 0))
    with temporary_folder(tmp_path / "model.xml") as made:
        (made / "model.xml").touch()
        assert {*tmp_path.iterdir()} == {made, fresh}
    assert [*tmp_path.iterdir()] == [fresh]
    with pytest.raises(KeyboardInterrupt), temporary_folder(tmp_path / "model.xml"):
        raise KeyboardInterrupt
    assert [*tmp_path.iterdir()] == [fresh]


@pytest.mark.parametrize(("given", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("below", ["", "train/a.png"])
def test_a_name_in_another_unicode_form_is_told_apart(
    given: str, there: str, below: str, tmp_path: Path
) -> None:
    names = {form: unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD")}
    (tmp_path / names[there]).mkdir()
    path = tmp_path / names[given] / below
    if path.exists() or (tmp_path / names[given]).exists():
        pytest.skip("the file system takes both forms for one")
    sentence = absent(path)
    assert f"There is no {path}. {tmp_path} has the same letters" in sentence
    assert f"{names[there]!a}, where {names[given]!a} was given" in sentence


def test_what_is_not_there_is_told_with_the_nearest_name_beside_it(tmp_path: Path) -> None:
    (tmp_path / "flowers").mkdir()
    near = tmp_path / "flowers"
    assert absent(tmp_path / "flowres") == (
        f"There is no {tmp_path / 'flowres'}. Did you mean {near}?"
    )
    for lost in ("cars", "cars/train"):
        assert absent(tmp_path / lost) == f"There is no {tmp_path / lost}. Check the path."
