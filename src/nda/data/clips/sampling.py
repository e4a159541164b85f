"""Which frames of a video make a clip: blocks of frames, a stride apart, from a start on."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from nda.errors import ConfigError

Short = Literal["loop", "pad"]


def span(blocks: int, frames_per_block: int, stride: int) -> int:
    """Frames of the video from the first to the last frame of a clip, both counted."""
    for name, value in (
        ("blocks", blocks),
        ("frames_per_block", frames_per_block),
        ("stride", stride),
    ):
        if value < 1:
            raise ConfigError(f"--{name} must be 1 or more; got {value}.")
    return (blocks * frames_per_block - 1) * stride + 1


def draw_starts(
    lengths: Tensor, span: int, generator: torch.Generator | None = None, *, short: Short = "loop"
) -> Tensor:
    """The frame each clip begins with: int64 `(B,)`, uniform over all places of the clip.

    Args:
        lengths: int64 `(B,)`, frames of each video.
        span: frames from the first to the last of the clip.
        generator: of the draws; each video takes one, whatever its length.
        short: a video shorter than `span` begins anywhere where it is looped, and with its first
            frame where it is padded.
    """
    places = lengths - span + 1
    places = torch.where(places > 0, places, lengths if short == "loop" else 1)
    uniform = torch.rand(len(lengths), generator=generator, dtype=torch.float64)
    return (uniform * places).long().clamp_(max=places - 1)


def frame_numbers(
    starts: Tensor, lengths: Tensor, count: int, stride: int, *, short: Short = "loop"
) -> Tensor:
    """Frames `start, start + stride, ...` of each video: int64 `(B, count)` in 0..length-1.

    Past its end a video begins anew (`loop`) or its last frame is repeated (`pad`).
    """
    numbers = starts[:, None] + stride * torch.arange(count)
    if short == "loop":
        return numbers % lengths[:, None]
    return numbers.minimum(lengths[:, None] - 1)


def windows(length: int, window: int, overlap: float = 0.5) -> Tensor:
    """Starts of overlapping windows that cover a video: int64 `(n,)`, the first of them 0.

    Neighbours share `overlap` of the `window` frames; the last window ends with the video, so it
    may share more. A video no longer than a window has one.
    """
    if not 0 <= overlap < 1:
        raise ConfigError(f"The overlap of windows must lie in [0, 1); got {overlap}.")
    step = max(1, round(window * (1 - overlap)))
    last = max(0, length - window)
    starts = torch.arange(0, last + 1, step)
    return starts if starts[-1] == last else torch.cat([starts, torch.tensor([last])])
