"""Windows of videos as their frames come, against windows cut from videos that are known whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.data.clips.batches import ClipShape
from nda.data.clips.clip_set import Clips
from nda.data.clips.decode import UnreadableError
from nda.data.clips.sampling import windows
from nda.data.clips.stream import open_video_stream, windows_of
from nda.data.reading.decode import Pixels
from nda.errors import DataError
from tests.support.made_videos import encode, frame_folder, numbers_in, zip_of


def frames(count: int) -> Iterator[Pixels]:
    return (np.full((3, 2, 2), number, np.uint8) for number in range(count))


@given(
    length=st.integers(1, 60),
    sizes=st.tuples(*[st.integers(1, 4)] * 3),
    short=st.sampled_from(["loop", "pad"]),
    overlap=st.sampled_from([0.0, 0.5, 0.75]),
)
@settings(deadline=None, max_examples=60)
def test_they_are_the_windows_of_the_whole_video(
    length: int, sizes: tuple[int, int, int], short: str, overlap: float
) -> None:
    shape = ClipShape(*sizes, short)  # type: ignore[arg-type]
    video = torch.from_numpy(np.stack(list(frames(length))))
    starts = windows(length, shape.span, overlap)
    rows = torch.zeros(len(starts), dtype=torch.int64)
    expected = shape.taken(Clips.of([video]), rows, starts=starts)
    assert torch.equal(torch.stack(list(windows_of(frames(length), shape, overlap))), expected)


def test_a_window_is_there_as_soon_as_its_frames_are() -> None:
    came = []

    def noted() -> Iterator[Pixels]:
        for number, frame in enumerate(frames(100)):
            came.append(number)
            yield frame

    found = windows_of(noted(), ClipShape(2, 2, 2))  # 4 frames of 7
    next(found)
    assert came[-1] == 6
    next(found)
    assert came[-1] == 6 + 4  # half of 7, rounded to an even number


@pytest.mark.parametrize("zipped", [True, False])
def test_videos_of_all_splits_in_order(tmp_path: Path, zipped: bool) -> None:
    folder = tmp_path / "videos"
    for number, name in enumerate(("train/b", "train/a", "test/c")):
        frame_folder(folder / name, range(5 * number, 5 * number + 3))
    source = zip_of(folder, tmp_path / "v.zip") if zipped else folder
    with open_video_stream(source) as stream:
        assert [video.name for video in stream.videos] == ["test/c", "train/a", "train/b"]
        found = [np.stack(list(stream.frames(video, 8, "crop"))) for video in stream.videos]
    assert [numbers_in(video) for video in found] == [[10, 11, 12], [5, 6, 7], [0, 1, 2]]


def test_a_broken_video_shows_itself_when_its_frames_come(tmp_path: Path) -> None:
    frame_folder(tmp_path / "v" / "gap", [0, 1, 3])
    frame_folder(tmp_path / "v" / "late", [0, 1, 2])
    (tmp_path / "v" / "late" / "f_0002.png").write_text("no picture")
    with open_video_stream(tmp_path / "v") as stream:
        gap, late = (stream.frames(video, 8, "crop") for video in stream.videos)
        with pytest.raises(UnreadableError, match="a frame is missing between"):
            next(gap)
        assert numbers_in(np.stack([next(late), next(late)])) == [0, 1]
        with pytest.raises(UnreadableError, match=r"f_0002\.png: not an image"):
            next(late)


def test_video_files(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(encode(9))
    with open_video_stream(tmp_path / "a.mp4") as stream:
        (video,) = stream.videos
        found = np.stack(list(stream.frames(video, 8, "crop")))
    assert numbers_in(found) == list(range(9))


def test_a_place_without_videos_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="holds no videos or frames of them"),
        open_video_stream(tmp_path),
    ):
        pass
