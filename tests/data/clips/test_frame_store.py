"""Decoded frames on disk: decoded once, noticed when files change, refused without room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nda.data.clips import decode as clip_decode
from nda.data.clips.decode import Frame, frames_of
from nda.data.clips.frame_store import ClipStore, Counted
from nda.data.clips.layout import find_videos
from nda.data.clips.reader import open_videos
from nda.errors import DataError
from tests.support.made_videos import frame_folder, numbers_in


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    frame_folder(tmp_path / "videos" / "a", [0, 1, 2])
    frame_folder(tmp_path / "videos" / "b", [5, 6])
    return tmp_path / "videos"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the videos that were decoded."""
    names: list[str] = []

    def noted(source: Any, video: Any, *settings: Any) -> Iterator[Frame]:
        names.append(video.name)
        return frames_of(source, video, *settings)

    monkeypatch.setattr(clip_decode, "frames_of", noted)
    return names


def scan(store: ClipStore, folder: Path) -> tuple[list[Counted], dict[int, str]]:
    with open_videos(folder) as source:
        return store.scan(source, find_videos(source.stamps, source.where))


def store_of(folder: Path, cache: Path, *, keep: bool = True, resolution: int = 8) -> ClipStore:
    return ClipStore(cache, str(folder), resolution, "crop", keep=keep)


def test_videos_are_decoded_once(videos: Path, tmp_path: Path, decoded: list[str]) -> None:
    counted, broken = scan(store_of(videos, tmp_path / "cache"), videos)
    assert ([each.frames for each in counted], broken) == ([3, 2], {})
    again, _ = scan(store_of(videos, tmp_path / "cache"), videos)
    assert again == counted
    assert sorted(decoded) == ["a", "b"]


def test_kept_frames_are_those_of_the_video(videos: Path, tmp_path: Path) -> None:
    store = store_of(videos, tmp_path / "cache")
    scan(store, videos)
    out = np.empty((4, 3, 8, 8), np.uint8)
    store.read("a", np.array([2, 0, 1, 2]), out)
    assert numbers_in(out) == [2, 0, 1, 2]


def test_a_video_that_changed_is_decoded_anew_and_no_other(
    videos: Path, tmp_path: Path, decoded: list[str]
) -> None:
    before, _ = scan(store_of(videos, tmp_path / "cache"), videos)
    frame_folder(videos / "new", [9]).joinpath("f_0009.png").rename(videos / "b" / "f_0007.png")
    (videos / "new").rmdir()
    store = store_of(videos, tmp_path / "cache")
    after, _ = scan(store, videos)
    assert sorted(decoded) == ["a", "b", "b"]
    assert after[0] == before[0]
    assert (after[1].frames, after[1].digest == before[1].digest) == (3, False)
    out = np.empty((1, 3, 8, 8), np.uint8)
    store.read("b", np.array([2]), out)
    assert numbers_in(out) == [9]


def test_the_digest_is_of_the_content_and_not_of_the_time(videos: Path, tmp_path: Path) -> None:
    before, _ = scan(store_of(videos, tmp_path / "cache"), videos)
    (videos / "a" / "f_0001.png").touch()
    after, _ = scan(store_of(videos, tmp_path / "cache"), videos)
    assert after[0].stamp != before[0].stamp
    assert after[0].digest == before[0].digest != after[1].digest


def test_a_count_alone_keeps_no_frames_and_serves_when_frames_are_kept_later(
    videos: Path, tmp_path: Path, decoded: list[str]
) -> None:
    counting = store_of(videos, tmp_path / "cache", keep=False)
    counted, _ = scan(counting, videos)
    assert [path.name for path in counting.folder.iterdir()] == ["index.json"]
    scan(store_of(videos, tmp_path / "cache", keep=False), videos)
    assert sorted(decoded) == ["a", "b"]
    assert scan(store_of(videos, tmp_path / "cache"), videos)[0] == counted


def test_an_interrupted_scan_goes_on_where_it_stopped(
    videos: Path, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = ClipStore._count

    def interrupted(self: ClipStore, source: Any, video: Any) -> Counted:
        if video.name == "b":
            raise KeyboardInterrupt
        return count(self, source, video)

    with monkeypatch.context() as patch:
        patch.setattr(ClipStore, "_count", interrupted)
        with pytest.raises(KeyboardInterrupt):
            scan(store_of(videos, tmp_path / "cache"), videos)
    scan(store_of(videos, tmp_path / "cache"), videos)
    assert decoded == ["a", "b"]


def test_broken_videos_are_told_and_leave_nothing_behind(videos: Path, tmp_path: Path) -> None:
    (videos / "a" / "f_0001.png").write_bytes(b"damaged")
    store = store_of(videos, tmp_path / "cache")
    counted, broken = scan(store, videos)
    assert [each.frames for each in counted] == [2]
    assert broken == {0: "f_0001.png: not an image"}
    assert len(list(store.folder.glob("*.rgb"))) == 1
    assert not [path for path in store.folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 3}', '{"a": {"frames": 3}}', "\0"])
def test_a_damaged_index_costs_time_and_nothing_else(
    videos: Path, tmp_path: Path, text: str
) -> None:
    store = store_of(videos, tmp_path / "cache")
    counted, _ = scan(store, videos)
    (store.folder / "index.json").write_text(text)
    assert scan(store_of(videos, tmp_path / "cache"), videos)[0] == counted
    assert len(json.loads((store.folder / "index.json").read_text())["videos"]) == 2


@pytest.mark.parametrize("size", [0, 100])
def test_frames_that_are_cut_short_are_noticed(videos: Path, tmp_path: Path, size: int) -> None:
    store = store_of(videos, tmp_path / "cache")
    scan(store, videos)
    path = store.path("a")
    path.write_bytes(path.read_bytes()[:size])
    out = np.empty((1, 3, 8, 8), np.uint8)
    with pytest.raises(DataError, match=r"frames of a in .* are gone or cut short. Start again"):
        store.read("a", np.array([2]), out)
    scan(store_of(videos, tmp_path / "cache"), videos)
    store.read("a", np.array([2]), out)
    assert numbers_in(out) == [2]


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("place", [0, 100, 191, 192, 195])  # pixels of the first frame, its CRC
def test_a_flipped_bit_in_kept_frames_is_refused_and_mended_by_the_next_start(
    videos: Path, tmp_path: Path, decoded: list[str], place: int
) -> None:
    store = store_of(videos, tmp_path / "cache")
    scan(store, videos)
    flip(store.path("a"), place)
    out = np.empty((2, 3, 8, 8), np.uint8)
    store.read("a", np.array([1, 2]), out)  # whole still
    with pytest.raises(DataError, match=r"frames of a in .* checksum of frame 0 .* Start again: "):
        store.read("a", np.array([2, 0]), out)
    store = store_of(videos, tmp_path / "cache")
    scan(store, videos)
    store.read("a", np.array([2, 0]), out)
    assert numbers_in(out) == [2, 0]
    assert sorted(decoded) == ["a", "a", "b"]


def test_damaged_frames_that_cannot_be_removed_are_named(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(videos, tmp_path / "cache")
    scan(store, videos)
    flip(store.path("a"), 0)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(DataError, match=f"Delete {store.path('a')} and start again"):
        store.read("a", np.array([0]), np.empty((1, 3, 8, 8), np.uint8))


def test_a_flipped_bit_in_the_index_costs_time_and_nothing_else(
    videos: Path, tmp_path: Path, decoded: list[str]
) -> None:
    counted, _ = scan(store_of(videos, tmp_path / "cache", keep=False), videos)
    index = store_of(videos, tmp_path / "cache").folder / "index.json"
    whole = index.read_text()
    index.write_text(whole.replace('"frames": 3', '"frames": 2'))
    assert scan(store_of(videos, tmp_path / "cache", keep=False), videos)[0] == counted
    assert json.loads(index.read_text()) == json.loads(whole)  # in any order
    assert sorted(decoded) == ["a", "a", "b", "b"]


def test_frames_that_an_earlier_version_kept_are_decoded_anew(
    videos: Path, tmp_path: Path, decoded: list[str]
) -> None:
    store = store_of(videos, tmp_path / "cache")
    counted, _ = scan(store, videos)
    for name, frames in (("a", 3), ("b", 2)):
        store.path(name).write_bytes(bytes(frames * 3 * 8 * 8))  # no checksums
    videos_of = json.loads((store.folder / "index.json").read_text())["videos"]
    (store.folder / "index.json").write_text(json.dumps(videos_of))  # no digest
    store = store_of(videos, tmp_path / "cache")
    assert scan(store, videos)[0] == counted
    out = np.empty((1, 3, 8, 8), np.uint8)
    store.read("b", np.array([1]), out)
    assert numbers_in(out) == [6]
    assert sorted(decoded) == ["a", "a", "b", "b"]


def test_another_resolution_is_another_store(videos: Path, tmp_path: Path) -> None:
    folders = {store_of(videos, tmp_path, resolution=size).folder for size in (8, 9)}
    assert len(folders) == 2


def test_no_room_is_one_sentence_where_frames_are_kept(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be kept in .*file.* set NDA_CACHE to another"):
        scan(store_of(videos, tmp_path / "file"), videos)
    counted, _ = scan(store_of(videos, tmp_path / "file", keep=False), videos)
    assert [each.frames for each in counted] == [3, 2]


def test_what_a_dead_process_left_in_the_cache_is_removed_after_a_day(
    videos: Path, tmp_path: Path
) -> None:
    store = store_of(videos, tmp_path / "cache")
    scan(store, videos)
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    old, fresh = (store.folder / f".nda-{dead.pid}-{end}.part" for end in ("0a", "0b"))
    old.touch()
    fresh.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    scan(store_of(videos, tmp_path / "cache"), videos)
    assert (old.exists(), fresh.exists()) == (False, True)
