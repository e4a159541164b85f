"""Split files as UCF101, HMDB51 and people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nda.data.clips.layout import Video, find_videos
from nda.data.clips.split_files import lists_beside, parse_lists, read_split_files, sort_by_lists
from nda.errors import DataError

UCF = ["Bowling/v_Bowling_g01_c01.avi", "Bowling/v_Bowling_g08_c02.avi", "Yo Yo/v_YoYo_g08_c01.avi"]


def ucf(folder: Path) -> Path:
    """The first two folds, each with a training and a test list."""
    folder.mkdir()
    for fold, test in ((1, [0]), (2, [1])):
        train = [index for index in range(3) if index not in test]
        lines = [f"{UCF[index]} {1 + (index > 1)}" for index in train]
        (folder / f"trainlist0{fold}.txt").write_text("\r\n".join(lines))
        (folder / f"testlist0{fold}.txt").write_text("".join(f"{UCF[i]}\n" for i in test))
    (folder / "classInd.txt").write_text("1 Bowling\n2 Yo Yo\n")
    return folder


def splits(videos: list[Video]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for video in videos:
        found.setdefault(video.split, []).append(video.name)
    return found


def test_ucf101(tmp_path: Path) -> None:
    folder = ucf(tmp_path / "lists")
    videos = find_videos([f"UCF-101/{name}" for name in UCF], "here")
    kept, unlisted = sort_by_lists(videos, read_split_files(folder, 1), None, "here")
    assert splits(kept) == {
        "test": [f"UCF-101/{UCF[0]}"],
        "train": [f"UCF-101/{name}" for name in UCF[1:]],
    }
    assert [video.label for video in kept] == ["Bowling", "Bowling", "Yo Yo"]
    assert unlisted == 0


def test_a_file_stands_for_its_folder_and_fold(tmp_path: Path) -> None:
    folder = ucf(tmp_path / "lists")
    videos = find_videos(UCF, "here")
    by_file = sort_by_lists(videos, read_split_files(folder / "testlist02.txt", 1), None, "here")
    assert by_file == sort_by_lists(videos, read_split_files(folder, 2), None, "here")
    assert splits(by_file[0])["test"] == [UCF[1]]


def test_lists_name_folders_of_frames_too(tmp_path: Path) -> None:
    names = [f"{name.removesuffix('.avi')}/{number}.jpg" for name in UCF for number in (1, 2)]
    kept, _ = sort_by_lists(
        find_videos(names, "here"), read_split_files(ucf(tmp_path / "l"), 1), None, "here"
    )
    assert splits(kept)["test"] == [UCF[0].removesuffix(".avi")]


def test_hmdb51(tmp_path: Path) -> None:
    (tmp_path / "wave_test_split1.txt").write_text("a#1_wave.avi 1 \nb.avi 2\nc.avi 0\n")
    (tmp_path / "wave_test_split2.txt").write_text("a#1_wave.avi 2 \nb.avi 1\nc.avi 1\n")
    videos = find_videos(["wave/a#1_wave.avi", "wave/b.avi", "wave/c.avi", "wave/d.avi"], "here")
    kept, unlisted = sort_by_lists(videos, read_split_files(tmp_path, 1), None, "here")
    assert splits(kept) == {"train": ["wave/a#1_wave.avi"], "test": ["wave/b.avi"]}
    assert unlisted == 2  # c serves in no split of this fold, d stands in no list
    others = [*videos, *find_videos(["jump/e.avi"], "here")]
    assert sort_by_lists(others, read_split_files(tmp_path, 1), ["wave"], "here") == (kept, 2)


def test_plain_lists_keep_names_with_spaces_and_numbers() -> None:
    videos = find_videos(["a/my clip 2/1.png", "a/my clip 3/1.png"], "here")
    listed = parse_lists({"train.txt": "a/my clip 2\n", "test.txt": "\na/my clip 3\n"}, 1, "here")
    kept, _ = sort_by_lists(videos, listed, None, "here")
    assert splits(kept) == {"train": ["a/my clip 2"], "test": ["a/my clip 3"]}


def test_which_files_of_a_source_are_lists() -> None:
    names = ["train.txt", "notes.txt", "a/train.txt", "x/testlist01.txt", "s/run_test_split3.txt"]
    assert lists_beside(names) == ["s/run_test_split3.txt", "train.txt", "x/testlist01.txt"]


def test_absent_videos_are_listed_and_refused(tmp_path: Path) -> None:
    listed = read_split_files(ucf(tmp_path / "lists"), 1)
    videos = find_videos(UCF[:1], "here")
    with pytest.raises(DataError) as caught:
        sort_by_lists(videos, listed, None, "here")
    assert str(caught.value) == (
        f"trainlist01.txt names 2 videos that here lacks: {UCF[1]}, {UCF[2]}. Fetch them, take "
        "them out of the list, or choose --classes that are there."
    )


def test_absent_videos_of_other_classes_do_not_matter(tmp_path: Path) -> None:
    listed = read_split_files(ucf(tmp_path / "lists"), 1)
    videos = find_videos(UCF[:2], "here")
    kept, _ = sort_by_lists(videos, listed, ["Bowling"], "here")
    assert [video.name for video in kept] == UCF[:2]


def test_many_absent_videos_are_counted() -> None:
    listed = parse_lists({"train.txt": "\n".join(f"a/{n}.mp4" for n in range(14))}, 1, "here")
    with pytest.raises(DataError, match=r"14 videos that here lacks: a/0.mp4, .*, a/9.mp4 and 4 m"):
        sort_by_lists(find_videos(["a/x.mp4"], "here"), listed, None, "here")


def test_contradictions_are_refused() -> None:
    listed = parse_lists({"train.txt": "a/1.mp4", "test.txt": "a/1.mp4"}, 1, "here")
    with pytest.raises(DataError, match=r"test.txt puts a/1.mp4 into test, another .* into train"):
        sort_by_lists(find_videos(["a/1.mp4"], "here"), listed, None, "here")
    listed = parse_lists({"train.txt": "1.mp4"}, 1, "here")
    with pytest.raises(DataError, match=r"names 1.mp4, which fits a/1.mp4 and b/1.mp4 in here"):
        sort_by_lists(find_videos(["a/1.mp4", "b/1.mp4"], "here"), listed, None, "here")


def test_lists_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no split file or folder of them"):
        read_split_files(tmp_path / "absent", 1)
    (tmp_path / "mine.txt").write_text("a")
    with pytest.raises(
        DataError, match=r"mine.txt has no name of a split file; expected are train"
    ):
        read_split_files(tmp_path / "mine.txt", 1)
    with pytest.raises(DataError, match=r"holds no split files; expected are trainlist01.txt"):
        read_split_files(tmp_path, 1)
    with pytest.raises(DataError, match=r"no split files of fold 3. Choose --fold among 1, 2\."):
        read_split_files(ucf(tmp_path / "lists"), 3)
    (tmp_path / "run_test_split1.txt").write_text("a.avi 7")
    with pytest.raises(DataError, match=r"has the line 'a.avi 7', which is no name followed by 0,"):
        read_split_files(tmp_path, 1)


def test_utf_16_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes("a/1.mp4\n".encode("utf-16")[:-1])
    with pytest.raises(DataError, match=r"train\.txt cannot be read .*Mend it"):
        read_split_files(tmp_path, 1)
