"""Which videos the names of files tell of."""

from __future__ import annotations

import pytest

from nda.data.clips.layout import Video, choose, find_videos, select_videos
from nda.errors import DataError


def found(*names: str) -> list[Video]:
    return find_videos(names, "here")


def test_files_with_splits_and_classes() -> None:
    videos = found("test/run/b.mp4", "train/run/a.AVI", "train/sit/c.webm", "readme.txt")
    assert videos == [
        Video("test/run/b.mp4", "test", "run"),
        Video("train/run/a.AVI", "train", "run"),
        Video("train/sit/c.webm", "train", "sit"),
    ]


def test_folders_of_frames_are_sorted_by_number_not_by_name() -> None:
    frames = [f"train/run/a/img2_{number}.jpg" for number in (9, 10, 8, 11)]
    (video,) = found(*frames)
    assert (video.name, video.split, video.label) == ("train/run/a", "train", "run")
    assert [name.rpartition("_")[2] for name in video.frames] == [
        "8.jpg", "9.jpg", "10.jpg", "11.jpg",
    ]  # fmt: skip
    assert not video.fault


def test_frames_in_no_folder_are_one_video() -> None:
    (video,) = find_videos(["1.png", "2.png"], "/data/jump")
    assert (video.name, video.frames) == ("jump", ("1.png", "2.png"))


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ([1, 2, 3], ""),
        ([7], ""),
        ([0, 5, 10], ""),  # every fifth frame was kept
        ([1, 2, 4], "a frame is missing between 2.png and 4.png"),
        ([1, 2, 3, 7, 8], "3 frames are missing between 3.png and 7.png"),
        ([2, 4, 6, 12], "2 frames are missing between 6.png and 12.png"),
    ],
)
def test_gaps_in_the_numbers(numbers: list[int], fault: str) -> None:
    (video,) = found(*(f"run/{number}.png" for number in numbers))
    assert video.fault == fault


def test_frames_of_two_series_or_without_number_are_a_fault() -> None:
    assert found("v/x_1.png", "v/y_1.png", "v/x_2.png")[0].fault == (
        "x_1.png and y_1.png have the same frame number"
    )
    assert found("v/1.png", "v/cover.png")[0].fault == "cover.png has no frame number"


def test_videos_beside_pictures_are_refused() -> None:
    with pytest.raises(DataError, match=r"holds video files \(a.mp4\) and pictures \(a.jpg\)"):
        found("a.mp4", "a.jpg")


def test_labels_mean_the_same_in_every_split() -> None:
    videos = found("train/a/1.mp4", "train/b/1.mp4", "test/b/2.mp4", "test/c/2.mp4")
    train, test = (select_videos(videos, split, None, "here") for split in ("train", "test"))
    assert train.classes == test.classes == ("a", "b", "c")
    assert (train.labels, test.labels) == ([0, 1], [1, 2])
    only = select_videos(videos, "test", ["c"], "here")
    assert (only.classes, only.labels, [v.name for v in only.videos]) == (
        ("c",), [0], ["test/c/2.mp4"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("names", "split", "classes", "message"),
    [
        (["train/a/1.mp4", "test/b/1.mp4"], "train", ["b"], "no videos in the train split of cl"),
        (["a/1.mp4", "2.mp4"], "", None, "2.mp4 lies beside the class folders"),
        (["a/1.mp4", "b/1.mp4"], "", ["c"], "has no class 'c'"),
    ],
)
def test_selections_that_cannot_be(
    names: list[str], split: str, classes: list[str] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        select_videos(found(*names), split, classes, "here")


def test_a_split_that_is_not_there_is_refused_in_words_for_videos() -> None:
    with pytest.raises(
        DataError, match=r"no split 'test': its videos lie in no split folders, and"
    ):
        choose(found("a/1.mp4"), "test", "here")
    with pytest.raises(DataError, match=r"no split 'val'. Choose one that exists: train, test"):
        choose(found("train/1.mp4", "test/1.mp4"), "val", "here")
