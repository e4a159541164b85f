"""Which clips each step sees: a function of the step alone, read one step ahead."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from nda.data.batches import EpochBatches
from nda.data.clips.clip_set import Clips
from nda.data.clips.sampling import Short, span


@dataclass(frozen=True)
class ClipShape:
    """How a clip is taken from a video: blocks of frames, a stride apart."""

    blocks: int
    frames: int  # in a block
    stride: int  # in frames of the video, from one frame of the clip to the next
    short: Short = "loop"  # what is done with a video that ends before

    @property
    def span(self) -> int:
        """Frames of the video from the first to the last of the clip."""
        return span(self.blocks, self.frames, self.stride)

    def taken(
        self,
        clips: Clips,
        rows: Tensor,
        *,
        starts: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """A clip of each of the videos `rows`: uint8 `(B, blocks * frames, 3, R, R)`."""
        return clips.sample(
            rows,
            blocks=self.blocks,
            frames_per_block=self.frames,
            stride=self.stride,
            generator=generator,
            starts=starts,
            short=self.short,
        )

    def middle(self, clips: Clips, rows: Tensor) -> Tensor:
        """Starts of the clips in the middle of the videos `rows`: int64 `(B,)`."""
        return (clips.lengths[rows] - self.span).clamp(min=0) // 2


class ClipBatches:
    """The videos of a step and a clip of each, while another thread reads those of the next.

    Args:
        clips: the videos.
        batches: which of them each step sees.
        shape: of the clips.
        draws: the generator of a step, from which its clips' starts are drawn.
    """

    def __init__(
        self,
        clips: Clips,
        batches: EpochBatches,
        shape: ClipShape,
        draws: Callable[[int], torch.Generator],
    ) -> None:
        self.clips = clips
        self.batches = batches
        self.shape = shape
        self.draws = draws
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="clips")
        self._ahead: tuple[int, Future[tuple[Tensor, Tensor]]] | None = None

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Rows int64 `(B,)` and clips uint8 `(B, blocks * frames, 3, R, R)`, on the CPU."""
        if self._ahead is not None and self._ahead[0] == step:
            found = self._ahead[1].result()
        else:
            found = self._read(step)
        self._ahead = (step + 1, self._reader.submit(self._read, step + 1))
        return found

    def _read(self, step: int) -> tuple[Tensor, Tensor]:
        rows = self.batches.indices(step)
        return rows, self.shape.taken(self.clips, rows, generator=self.draws(step))


def in_blocks(clips: Tensor, frames: int) -> Tensor:
    """Clips `(B, N * T, 3, H, W)` as a video network takes them: `(B, N, 3, T, H, W)`."""
    return clips.unflatten(1, (-1, frames)).transpose(2, 3)
