"""Which frames make a clip, against loops written out."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nda.data.clips.sampling import Short, draw_starts, frame_numbers, span, windows
from nda.errors import ConfigError

small = st.integers(1, 9)


@given(small, small, small)
def test_span_reaches_from_the_first_frame_to_the_last(
    blocks: int, frames: int, stride: int
) -> None:
    # As published: frame j of block i is (i * frames + j) * stride after the start.
    after = [(i * frames + j) * stride for i in range(blocks) for j in range(frames)]
    assert span(blocks, frames, stride) == after[-1] + 1
    found = frame_numbers(torch.tensor([0]), torch.tensor([10**6]), blocks * frames, stride)
    assert found.tolist() == [after]


@given(st.integers(1, 30), st.integers(0, 29), small, small, st.sampled_from(["loop", "pad"]))
def test_frames_past_the_end(
    length: int, start: int, count: int, stride: int, short: Short
) -> None:
    start %= length
    video = list(range(length))
    endless = video * (1 + (start + count * stride) // length)
    if short == "pad":
        endless = video + video[-1:] * (count * stride)
    naive = [endless[start + k * stride] for k in range(count)]
    found = frame_numbers(torch.tensor([start]), torch.tensor([length]), count, stride, short=short)
    assert found.tolist() == [naive]


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from(["loop", "pad"]))
def test_every_place_of_a_clip_is_drawn_and_no_other(length: int, reach: int, short: Short) -> None:
    lengths = torch.full((600,), length)
    starts = draw_starts(lengths, reach, torch.Generator().manual_seed(0), short=short)
    places = length - reach + 1
    if places < 1:
        places = length if short == "loop" else 1
    assert sorted(set(starts.tolist())) == list(range(places))


def test_starts_follow_the_generator_and_a_video_takes_one_draw_whatever_its_length() -> None:
    def drawn(seed: int, lengths: list[int]) -> list[int]:
        rng = torch.Generator().manual_seed(seed)
        return draw_starts(torch.tensor(lengths), 5, rng).tolist()

    assert drawn(1, [90, 90, 90]) == drawn(1, [90, 90, 90]) != drawn(2, [90, 90, 90])
    assert drawn(1, [90, 3, 90])[::2] == drawn(1, [90, 90, 90])[::2]


@given(st.integers(1, 200), st.integers(1, 60), st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_windows_cover_the_video_and_overlap_as_asked(
    length: int, window: int, overlap: float
) -> None:
    starts = windows(length, window, overlap).tolist()
    seen = {frame for start in starts for frame in range(start, start + window)}
    assert seen >= set(range(length))
    assert starts[0] == 0
    assert starts[-1] == max(0, length - window)
    steps = [after - before for before, after in pairwise(starts)]
    assert all(1 <= step <= max(1, round(window * (1 - overlap))) for step in steps)


def test_windows_overlap_by_half() -> None:
    assert windows(20, 8).tolist() == [0, 4, 8, 12]
    assert windows(21, 8).tolist() == [0, 4, 8, 12, 13]
    assert windows(3, 8).tolist() == [0]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="--stride must be 1 or more; got 0"):
        span(1, 2, 0)
    with pytest.raises(ConfigError, match=r"overlap of windows must lie in \[0, 1\); got 1"):
        windows(9, 3, 1.0)
