"""Batches of clips: a function of the step, read ahead or not, and how clips are laid out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.data.batches import EpochBatches
from nda.data.clips.batches import ClipBatches, ClipShape, in_blocks
from nda.data.clips.clip_set import Clips

SHAPE = ClipShape(blocks=3, frames=2, stride=2)


def videos() -> Clips:
    """Frame t of video v is filled with 20 v + t; the last has 4 frames, the others 15."""
    lengths = [15, 15, 15, 15, 4]
    return Clips.of(
        [
            (20 * v + torch.arange(length)).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
            for v, length in enumerate(lengths)
        ]
    )


def batches(clips: Clips) -> ClipBatches:
    return ClipBatches(
        clips,
        EpochBatches(len(clips), 2, seed=1),
        SHAPE,
        lambda step: torch.Generator().manual_seed(100 + step),
    )


def test_a_step_has_the_same_clips_in_any_order() -> None:
    one, other = batches(videos()), batches(videos())
    in_order = [one(step) for step in range(4)]
    for step in (3, 0, 2, 2, 1):
        rows, clips = other(step)
        assert torch.equal(rows, in_order[step][0])
        assert torch.equal(clips, in_order[step][1])


def test_clips_are_frames_of_their_videos_a_stride_apart() -> None:
    clips = videos()
    for step in range(8):
        rows, found = batches(clips)(step)
        assert found.shape == (2, 6, 3, 8, 8)
        for row, clip in zip(rows.tolist(), found[:, :, 0, 0, 0].tolist(), strict=True):
            numbers = [value - 20 * row for value in clip]
            length = int(clips.lengths[row])
            assert numbers == [(numbers[0] + 2 * k) % length for k in range(6)]


def test_an_error_while_reading_ahead_is_raised_when_its_step_comes() -> None:
    def draws(step: int) -> torch.Generator:
        if step == 2:
            raise RuntimeError("no clips for step 2")
        return torch.Generator().manual_seed(step)

    clips = videos()
    ahead = ClipBatches(clips, EpochBatches(5, 2, seed=0), SHAPE, draws)
    ahead(0)
    ahead(1)
    with pytest.raises(RuntimeError, match="no clips for step 2"):
        ahead(2)


def test_the_middle_of_a_video() -> None:
    clips = videos()
    assert SHAPE.span == 11
    assert SHAPE.middle(clips, torch.tensor([0, 4])).tolist() == [2, 0]


def test_blocks_hold_neighbouring_frames() -> None:
    clips: Tensor = torch.arange(2 * 6 * 3 * 4 * 5).view(2, 6, 3, 4, 5)
    blocks = in_blocks(clips, 2)
    assert blocks.shape == (2, 3, 3, 2, 4, 5)
    for n in range(3):
        for t in range(2):
            assert torch.equal(blocks[:, n, :, t], clips[:, 2 * n + t])
