"""Images that a list of paths names: how lists are read, and lines that name no picture."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from nda.data.images.stream import listed_paths, open_stream, stream_of_paths
from nda.errors import DataError
from tests.support.made_images import STREAMED, streamed_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streamed_folder(tmp_path_factory.mktemp("stream") / "images")


def test_paths_come_from_lines_of_text(folder: Path) -> None:
    wanted = [STREAMED[3], STREAMED[30], STREAMED[0]]
    lines = [f"{folder / wanted[0]}\n", "\n", f"{folder / wanted[1]}\r\n", "  \n"]
    text = "".join([*lines, str(folder / wanted[2])])
    stream = stream_of_paths(listed_paths(io.BytesIO(text.encode())))
    assert stream.count is None
    (batch,) = stream.batches(8, 24, "stretch")
    assert batch.names == [str(folder / name) for name in wanted]  # the order of the list
    with open_stream(folder) as opened:
        ((whole),) = opened.batches(40, 24, "stretch")
    assert torch.equal(batch.images, whole.images[[3, 30, 0]])


def test_names_with_blanks_are_kept(tmp_path: Path) -> None:
    path = tmp_path / " a b .png"
    Image.new("RGB", (8, 8)).save(path)
    (batch,) = stream_of_paths(listed_paths(io.BytesIO(f"{path}\n".encode()))).batches(8, 8, "crop")
    assert (batch.names, batch.reasons) == ([str(path)], [""])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{}/nothing.png", "No such file"),
        ("{}", "not a file"),
        ("{}/pipe.png", "not a file"),
        ("/dev/zero", "not a file"),
        ("{}/empty.png", "an empty file"),
        ("a\0b.png", "null byte"),
        ("~nobody-of-this-name/x.png", "home directory"),
    ],
)
def test_lines_that_name_no_picture_are_reported(tmp_path: Path, line: str, reason: str) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    (batch,) = stream_of_paths([line.format(tmp_path)]).batches(8, 8, "crop")
    assert reason in batch.reasons[0]
    assert len(batch.images) == 0


def test_a_list_of_nothing_gives_no_batches() -> None:
    assert list(stream_of_paths([]).batches(8, 8, "crop")) == []
    assert list(listed_paths(io.BytesIO(b"\n \n\r\n"))) == []


@pytest.mark.parametrize(
    ("lines", "paths"),
    [
        (b"\xef\xbb\xbfa.png\r\nb.png\r\n", ["a.png", "b.png"]),  # as Windows writes it
        (b'"C d.png"\n"\n""\n', ["C d.png", '"', '""']),
        (b"a\xef\xbb\xbf.png\n\xef\xbb\xbfb.png\n", ["a\ufeff.png", "\ufeffb.png"]),
        ("ü λ.png".encode(), ["ü λ.png"]),
        (b"caf\xe9.png\n", [os.fsdecode(b"caf\xe9.png")]),
    ],
)
def test_lists_are_read_as_people_have_them(lines: bytes, paths: list[str]) -> None:
    assert list(listed_paths(io.BytesIO(lines))) == paths


def test_quotes_that_belong_to_a_name_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('"a.png"').touch()
    assert list(listed_paths(io.BytesIO(b'"a.png"\n"b.png"\n'))) == ['"a.png"', "b.png"]


def test_a_line_without_end_is_refused_in_bounded_memory() -> None:
    with open("/dev/zero", "rb") as zeros, pytest.raises(DataError, match="so it is no path"):  # noqa: PTH123
        list(listed_paths(zeros))
