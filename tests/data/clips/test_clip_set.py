"""Clips in memory: what is sampled, how sets are parted, what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.data.clips.clip_set import Clips, recording_of
from nda.errors import ShapeError
from tests.support.made_videos import grey_of, numbers_in


def video(count: int, first: int = 0) -> Tensor:
    greys = torch.tensor([grey_of(first + number) for number in range(count)], dtype=torch.uint8)
    return greys.view(-1, 1, 1, 1).expand(-1, 3, 4, 4)


@pytest.fixture
def clips() -> Clips:
    return Clips.of([video(20), video(3, 30), video(9, 36)], torch.tensor([0, 1, 1]), ("x", "y"))


def test_clips_are_blocks_of_frames_a_stride_apart(clips: Clips) -> None:
    starts = torch.tensor([2, 1, 0])
    found = clips.sample([0, 1, 2], blocks=2, frames_per_block=2, stride=3, starts=starts)
    assert found.shape == (3, 4, 3, 4, 4)
    assert found.dtype == torch.uint8
    assert [numbers_in(clip.numpy()) for clip in found] == [
        [2, 5, 8, 11], [31, 31, 31, 31], [36, 39, 42, 36],
    ]  # fmt: skip
    padded = clips.sample(
        [1, 2], blocks=2, frames_per_block=2, stride=3, starts=torch.tensor([0, 0]), short="pad"
    )
    assert [numbers_in(clip.numpy()) for clip in padded] == [
        [30, 32, 32, 32], [36, 39, 42, 44],
    ]  # fmt: skip


def test_starts_are_drawn_from_the_generator(clips: Clips) -> None:
    def drawn(seed: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed)
        return clips.sample(torch.tensor([0, 2] * 9), stride=1, blocks=1, generator=rng)

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_short_videos_are_counted(clips: Clips) -> None:
    assert [clips.shorter_than(frames) for frames in (3, 4, 10, 21)] == [0, 1, 2, 3]


def test_all_frames_or_some(clips: Clips) -> None:
    assert numbers_in(clips.frames(1).numpy()) == [30, 31, 32]
    assert numbers_in(clips.frames(0, [5, 5, 0]).numpy()) == [5, 5, 0]


def test_parts_keep_names_labels_and_frames(clips: Clips) -> None:
    by_mask, by_index = clips.only(clips.labels == 1), clips.only(torch.tensor([1, 2]))
    assert by_mask.fingerprint == by_index.fingerprint != clips.fingerprint
    assert by_mask.names == ("000001", "000002")
    assert (by_mask.labels.tolist(), by_mask.classes) == ([1, 1], ("x", "y"))
    assert numbers_in(by_mask.frames(1, [0]).numpy()) == [36]


def test_recordings_are_not_parted() -> None:
    names = [f"{label}/p{person}_{part}" for label in "rs" for person in range(6) for part in "ab"]
    videos = [video(1, row) for row in range(24)]
    rest, held = Clips.of(videos, names=names).without_every(3)
    assert {recording_of(name) for name in held.names} == {"p0", "p3"}
    assert len(held.names) == 8
    assert sorted(rest.names + held.names) == sorted(names)


def test_a_copy_under_another_name_stays_with_its_recording() -> None:
    names = ["a_1", "b_1", "c_1", "d_1", "e_1", "f_1"]
    videos = [video(1, row) for row in (0, 1, 2, 3, 4, 0)]  # f is a copy of a
    rest, held = Clips.of(videos, names=names).without_every(2)
    assert held.names == ("a_1", "c_1", "e_1", "f_1")
    assert rest.names == ("b_1", "d_1")


@pytest.mark.parametrize(
    ("name", "recording"),
    [
        ("UCF-101/Biking/v_Biking_g02_c03.avi", "v_Biking_g02"),
        ("train/jack/person1_b", "person1"),
        ("fight/fi007.mp4", "fi007"),
        ("wave/a_b.c_f_cm_1", "a_b.c_f_cm_1"),
        ("brush_hair/April_09_u_nm_np1_ba_goo_0.avi", "April_09_u_nm_np1_ba_goo"),
        ("brush_hair/April_09_u_nm_np1_ba_med_12.avi", "April_09_u_nm_np1_ba_med"),
        ("clips/clip_001.avi", "clip_001"),
    ],
)
def test_what_a_recording_is(name: str, recording: str) -> None:
    assert recording_of(name) == recording


def test_the_fingerprint_follows_frames_labels_and_names() -> None:
    def of(first: int = 0, label: int = 0, name: str = "n") -> str:
        return Clips.of([video(2, first)], torch.tensor([label]), ("a", "b"), [name]).fingerprint

    assert of() == of()
    assert len({of(), of(first=1), of(label=1), of(name="m")}) == 4


@pytest.mark.parametrize(
    "wrong",
    [torch.zeros(2, 3, 4, 4), torch.zeros(0, 3, 4, 4).byte(), torch.zeros(2, 3, 4, 5).byte()],
)
def test_other_tensors_are_refused(wrong: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"uint8 of shape \(T, 3, 4, 4\), T at least 1; got torch"):
        Clips.of([video(2), wrong])


def test_labels_must_be_one_a_video() -> None:
    with pytest.raises(
        ShapeError, match=r"whole numbers of shape \(1,\), one a video; got torch.in"
    ):
        Clips.of([video(2)], torch.tensor([0, 0]))
    with pytest.raises(ShapeError, match="at least 1 video"):
        Clips.of([])
