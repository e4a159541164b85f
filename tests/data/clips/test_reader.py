"""Frames from files that are decoded at each call, and from several threads."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nda.data.clips.frame_store import ClipStore
from nda.data.clips.layout import find_videos
from nda.data.clips.reader import FileReader, MemoryReader, PartReader, open_videos, read_all
from nda.errors import DataError
from tests.support.made_videos import encode, frame_folder, numbers_in, zip_of


def reader_of(path: Path, cache: Path) -> FileReader:
    with open_videos(path) as source:
        videos = find_videos(source.stamps, source.where)
    return FileReader(
        path, videos, [9] * len(videos), ClipStore(cache, str(path), 8, "crop", keep=False)
    )


def read(reader: FileReader, index: int, numbers: list[int]) -> list[int]:
    out = np.empty((len(numbers), 3, 8, 8), np.uint8)
    reader.read(index, np.array(numbers), out)
    return numbers_in(out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frame_folder(tmp_path / "videos" / "a", range(6))
    frame_folder(tmp_path / "videos" / "b", range(4, 9))
    return tmp_path / "videos"


def test_frames_in_any_order_and_several_times(folder: Path, tmp_path: Path) -> None:
    reader = reader_of(folder, tmp_path)
    assert read(reader, 0, [4, 0, 4, 1]) == [4, 0, 4, 1]
    assert read(reader, 1, [0]) == [4]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_in_place_by_many_threads(
    folder: Path, tmp_path: Path, compression: int
) -> None:
    reader = reader_of(zip_of(folder, tmp_path / "v.zip", compression=compression), tmp_path)
    rows = [0, 1] * 20
    numbers = np.array([[(row + k) % 5 for k in range(3)] for row in range(40)])
    out = np.empty((40, 3, 3, 8, 8), np.uint8)
    read_all(reader, rows, numbers, out, threads=8)
    expected = [[4 * row + k for k in some] for row, some in zip(rows, numbers, strict=True)]
    assert [numbers_in(frames) for frames in out] == expected


def test_video_files_alone_and_in_a_zip(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(encode(9))
    for path in (
        tmp_path / "videos",
        tmp_path / "videos" / "a.mp4",
        zip_of(tmp_path / "videos", tmp_path / "v.zip"),
    ):
        assert read(reader_of(path, tmp_path), 0, [7, 2]) == [7, 2]


def test_a_video_that_went_away_is_named(folder: Path, tmp_path: Path) -> None:
    reader = reader_of(folder, tmp_path)
    assert read(reader, 0, [1]) == [1]
    shutil.rmtree(folder / "a")
    with pytest.raises(DataError, match=r"a cannot be read any more \(f_0001.png: .*\)\. Start ag"):
        read(reader, 0, [1])


def test_a_video_that_became_shorter_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b cannot be read any more \(it ends before frame 8\)"):
        read(reader_of(folder, tmp_path), 1, [7])


def test_part_of_a_reader(folder: Path, tmp_path: Path) -> None:
    part = PartReader(PartReader(reader_of(folder, tmp_path), [1, 0]), [1])
    out = np.empty((1, 3, 8, 8), np.uint8)
    part.read(0, np.array([3]), out)
    assert numbers_in(out) == [3]


def test_an_error_in_a_thread_arrives() -> None:
    out = np.empty((4, 1, 3, 8, 8), np.uint8)
    with pytest.raises(IndexError):
        read_all(MemoryReader([]), [0, 1, 2, 3], np.zeros((4, 1), np.int64), out, threads=2)


def test_what_holds_no_videos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with (
        pytest.raises(DataError, match=r"holds no videos or frames of them \(.3gp, .* notes.txt"),
        open_videos(tmp_path),
    ):
        pass
    with (
        pytest.raises(DataError, match=r"Give a folder of videos or frames of them or a .zip of o"),
        open_videos(tmp_path / "notes.txt"),
    ):
        pass
