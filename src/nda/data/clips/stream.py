"""Videos one after another as overlapping windows, in memory that does not grow with their length.

Unlike `load_clips` this reads a video once, from its first frame to its last, and keeps nothing;
one that cannot be read shows itself while its windows are taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nda.data.clips.batches import ClipShape
from nda.data.clips.decode import all_frames
from nda.data.clips.layout import Video, find_videos
from nda.data.clips.reader import open_videos
from nda.data.clips.sampling import frame_numbers
from nda.data.reading.decode import Fit, Pixels, quiet_pillow
from nda.data.reading.source import Source


@dataclass(frozen=True)
class VideoStream:
    """The videos of a source, of all splits, in the order of their names."""

    source: Source
    videos: list[Video]

    def frames(self, video: Video, resolution: int, fit: Fit) -> Iterator[Pixels]:
        """Its frames `(3, R, R)`; raises `UnreadableError` where the video is damaged."""
        for frame in all_frames(self.source, video, resolution, fit):
            assert frame is not None
            yield frame


@contextmanager
def open_video_stream(path: Path, bit_depth: int | None = None) -> Iterator[VideoStream]:
    """The videos of a folder or a `.zip`, or one video file; `DataError` for others."""
    with open_videos(path.expanduser(), bit_depth) as source, quiet_pillow():
        yield VideoStream(source, find_videos(source.stamps, source.where))


def windows_of(
    frames: Iterable[Pixels], shape: ClipShape, overlap: float = 0.5
) -> Iterator[Tensor]:
    """The windows of a video, as its frames `(3, R, R)` come: uint8 `(blocks * frames, 3, R, R)`.

    They begin where `clip_sampling.windows` says and are taken as `ClipShape.taken` does; the
    last one ends with the video. No more than the frames of one window are held.
    """
    reach = shape.span
    step = max(1, round(reach * (1 - overlap)))
    held: deque[Pixels] = deque(maxlen=reach)
    count = covered = 0  # frames that came, and those up to the end of the last window
    for frame in frames:
        held.append(frame)
        count += 1
        if count >= reach and (count - reach) % step == 0:
            yield _window(held, shape)
            covered = count
    if covered < count:
        yield _window(held, shape)


def _window(held: deque[Pixels], shape: ClipShape) -> Tensor:
    start, length = torch.zeros(1, dtype=torch.int64), torch.tensor([len(held)])
    count = shape.blocks * shape.frames
    numbers = frame_numbers(start, length, count, shape.stride, short=shape.short)[0]
    return torch.from_numpy(np.stack([held[number] for number in numbers.tolist()]))
