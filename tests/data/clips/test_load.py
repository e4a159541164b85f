"""Loading videos end to end: layouts, splits, broken files, and real archives where they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from nda.data.clips import decode as clip_decode
from nda.data.clips.load import load_clip_splits, load_clips
from nda.data.clips.source import ClipSource
from nda.errors import DataError
from tests.support.made_videos import encode, frame_folder, numbers_in, only_sound, zip_of

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Folders of frames: train/{run,sit} and test/{run,sit}, two videos in each."""
    folder = tmp_path / "videos"
    for split, first in (("train", 0), ("test", 20)):
        for label, offset in (("run", 0), ("sit", 10)):
            for name, length in (("long", 6), ("short", 3)):
                start = first + offset
                frame_folder(folder / split / label / name, range(start, start + length))
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Video files: {run,sit}/{a,b}.mp4."""
    pytest.importorskip("av")
    folder = tmp_path / "files"
    for label in ("run", "sit"):
        (folder / label).mkdir(parents=True)
        for name, count in (("a", 3), ("b", 8)):
            (folder / label / f"{name}.mp4").write_bytes(encode(count))
    return folder


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_split_of_folders_of_frames(
    videos: Path, tmp_path: Path, own_cache: Path, cache: bool, zipped: bool
) -> None:
    source = zip_of(videos, tmp_path / "v.zip") if zipped else videos
    clips = load_clips(source, resolution=8, split="test", cache=cache)
    assert clips.names == (
        "test/run/long", "test/run/short", "test/sit/long", "test/sit/short",
    )  # fmt: skip
    assert (clips.classes, clips.labels.tolist()) == (("run", "sit"), [0, 0, 1, 1])
    assert clips.lengths.tolist() == [6, 3, 6, 3]
    found = clips.sample(
        [3, 0], blocks=1, frames_per_block=4, stride=1, starts=torch.tensor([1, 2])
    )
    assert [numbers_in(clip.numpy()) for clip in found] == [[31, 32, 30, 31], [22, 23, 24, 25]]
    assert bool(list(own_cache.rglob("*.rgb"))) is cache


def test_fingerprints_tell_contents_and_decoding_apart(videos: Path, tmp_path: Path) -> None:
    first = load_clips(videos, resolution=8)
    moved = load_clips(shutil.copytree(videos, tmp_path / "moved"), resolution=8, cache=False)
    assert moved.fingerprint == first.fingerprint
    others = [
        load_clips(videos, resolution=9), load_clips(videos, resolution=8, fit="stretch"),
        load_clips(videos, resolution=8, split="test"),
        load_clips(videos, resolution=8, classes=["run"]),
    ]  # fmt: skip
    assert len({each.fingerprint for each in [first, *others]}) == 5


def test_the_second_loading_decodes_nothing(
    videos: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_clip_splits(videos, resolution=8)
    monkeypatch.setattr(clip_decode, "frames_of", None)
    again = load_clip_splits(videos, resolution=8)
    assert again.train.fingerprint == first.train.fingerprint
    assert torch.equal(again.heldout.frames(2), first.heldout.frames(2))
    assert own_cache.is_dir()


def test_held_out_is_the_test_split(videos: Path) -> None:
    splits = load_clip_splits(videos, resolution=8)
    assert splits.heldout_name == "test split"
    assert {name.split("/")[0] for name in splits.train.names} == {"train"}
    assert {name.split("/")[0] for name in splits.heldout.names} == {"test"}


def test_held_out_are_recordings_where_there_is_no_test_split(videos: Path) -> None:
    train = videos / "train"
    splits = load_clip_splits(train, resolution=8, holdout=0.5)
    assert splits.heldout_name == "1 of 2 recordings, held out"
    assert splits.heldout.names == ("run/long", "sit/long")
    assert splits.train.names == ("run/short", "sit/short")
    nothing = load_clip_splits(train, resolution=8, holdout=0)
    assert nothing.train is nothing.heldout
    assert nothing.heldout_name == "training videos (nothing held out)"
    with pytest.raises(DataError, match=r"holdout must be 0 \(nothing held out\) or a share of at"):
        load_clip_splits(train, resolution=8, holdout=0.7)
    with pytest.raises(DataError, match="of one recording, so nothing can be held out"):
        load_clip_splits(train / "run" / "long", resolution=8)


def test_split_files_beside_the_videos(files: Path, tmp_path: Path) -> None:
    (files / "train.txt").write_text("run/a.mp4\nrun/b.mp4\nsit/a.mp4\n")
    (files / "test.txt").write_text("sit/b.mp4\n")
    for source in (files, zip_of(files, tmp_path / "v.zip")):
        splits = load_clip_splits(source, resolution=8)
        assert splits.train.names == ("run/a.mp4", "run/b.mp4", "sit/a.mp4")
        assert (splits.heldout.names, splits.heldout.labels.tolist()) == (("sit/b.mp4",), [1])
        assert splits.train.unlisted == 0


def test_split_files_elsewhere_and_what_they_leave_out(files: Path, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "trainlist01.txt").write_text("run/a.avi 1\n")
    (lists / "testlist01.txt").write_text("sit/a.avi\n")
    splits = load_clip_splits(files, resolution=8, split_file=lists)
    assert (splits.train.names, splits.heldout.names) == (("run/a.mp4",), ("sit/a.mp4",))
    assert splits.train.unlisted == 2
    (lists / "testlist01.txt").write_text("sit/a.avi\nsit/z.avi\n")
    with pytest.raises(DataError, match=r"testlist01.txt names a video that .* lacks: sit/z.avi"):
        load_clips(files, resolution=8, split_file=lists)


def test_broken_videos_are_refused_or_skipped_and_named(files: Path) -> None:
    (files / "run" / "c.mp4").write_bytes(only_sound())
    (files / "sit" / "a.mp4").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        load_clips(files, resolution=8)
    assert str(caught.value) == (
        f"{files}: run/c.mp4 cannot be read (only sound, no pictures) and 1 more. Mend it or take "
        "it away, or give --skip-broken."
    )
    clips = load_clips(files, resolution=8, skip_broken=True)
    assert clips.names == ("run/a.mp4", "run/b.mp4", "sit/b.mp4")
    assert (clips.labels.tolist(), clips.lengths.tolist()) == ([0, 0, 1], [3, 8, 8])
    assert clips.skipped == (
        "run/c.mp4: only sound, no pictures", "sit/a.mp4: an empty file",
    )  # fmt: skip
    assert numbers_in(clips.frames(2, [7]).numpy()) == [7]


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_drawn_videos_are_of_the_held_out_split_unless_another_is_asked_for(
    videos: Path, own_cache: Path
) -> None:
    clips, split = ClipSource(videos, 8).draw(3, generator=drawn())
    assert split == "test"
    assert len(set(clips.names)) == 3
    assert all(name.startswith("test/") for name in clips.names)
    lengths = [6 if name.endswith("long") else 3 for name in clips.names]
    assert clips.lengths.tolist() == lengths
    labels = [("run", "sit").index(name.split("/")[1]) for name in clips.names]
    assert clips.labels.tolist() == labels
    training, split = ClipSource(videos, 8).draw(9, generator=drawn(), split="train")
    assert (split, len(training)) == ("train", 4)
    every, split = ClipSource(videos / "train", 8).draw(9, generator=drawn())
    assert (split, len(every)) == ("", 4)
    with pytest.raises(DataError, match="has no split 'tset'"):
        ClipSource(videos, 8).draw(3, generator=drawn(), split="tset")
    assert not list(own_cache.rglob("*.rgb"))


def test_videos_that_are_not_drawn_are_not_read(videos: Path) -> None:
    chosen = {ClipSource(videos, 8).draw(1, generator=drawn(s))[0].names for s in range(9)}
    assert len(chosen) > 1
    clips, _ = ClipSource(videos, 8).draw(1, generator=drawn(1))
    for name in ("run/long", "run/short", "sit/long", "sit/short"):
        if f"test/{name}" != clips.names[0]:
            next((videos / "test" / name).iterdir()).write_text("no picture")
    again, _ = ClipSource(videos, 8).draw(1, generator=drawn(1))
    assert again.fingerprint == clips.fingerprint
    with pytest.raises(DataError, match=r"cannot be read \(.*\) and 2 more"):
        ClipSource(videos, 8).draw(4, generator=drawn(1))
    rest, _ = ClipSource(videos, 8, skip_broken=True).draw(4, generator=drawn(1))
    assert rest.names == clips.names
    assert len(rest.skipped) == 3


def test_nothing_but_broken_videos_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"a.mp4 cannot be read \(an empty file\). Mend it or take"):
        load_clips(tmp_path, resolution=8, skip_broken=True)


def test_a_video_of_three_frames_serves(files: Path) -> None:
    clips = load_clips(files, resolution=8)
    assert clips.shorter_than(4) == 2
    assert clips.sample([0], generator=torch.Generator().manual_seed(0)).shape == (1, 40, 3, 8, 8)


def test_one_video_file(files: Path) -> None:
    clips = load_clips(files / "run" / "b.mp4", resolution=8)
    assert (clips.names, clips.lengths.tolist()) == (("b.mp4",), [8])


def test_few_videos_are_drawn_before_any_is_read(files: Path, own_cache: Path) -> None:
    for name in ("run/a.mp4", "sit/b.mp4"):
        (files / name).write_bytes(b"")
    drawn = set()
    for seed in range(20):
        try:
            few, _ = ClipSource(files, 8).draw(1, generator=torch.Generator().manual_seed(seed))
        except DataError:
            continue
        drawn.add(few.names)
    assert drawn == {("run/b.mp4",), ("sit/a.mp4",)}
    assert not list(own_cache.rglob("*.rgb"))


def test_a_resolution_of_nothing_is_refused(videos: Path) -> None:
    with pytest.raises(DataError, match="--resolution must be 1 pixel or more; got 0"):
        load_clips(videos, resolution=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "train", "heldout", "lengths", "classes"),
    [
        ("video_surveillance_fights", 66, 24, (20, 131), ("fight", "noFight")),
        ("video_weizmann4_frames", 40, 16, (51, 146), ("bend", "jack", "wave1", "wave2")),
        ("video_ucf101_applyeyemakeup_frames", 40, 14, (25, 25), ("ApplyEyeMakeup",)),
    ],
)
def test_real_archives(
    name: str, train: int, heldout: int, lengths: tuple[int, int], classes: tuple[str, ...]
) -> None:
    pytest.importorskip("av")
    path = SHARED / f"{name}.zip"
    if not path.exists():
        pytest.skip("the archive is not here")
    splits = load_clip_splits(path, resolution=32, cache=False)
    assert (len(splits.train), len(splits.heldout)) == (train, heldout)
    every = torch.cat([splits.train.lengths, splits.heldout.lengths])
    assert (int(every.min()), int(every.max())) == lengths
    assert splits.train.classes == splits.heldout.classes == classes
