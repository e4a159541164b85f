"""Videos as the whole package holds them: frames by number, clips by blocks, stride and start."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from nda.data.clips.frame_store import digest_of
from nda.data.clips.layout import VIDEO_EXTENSIONS
from nda.data.clips.reader import MemoryReader, PartReader, Reader, read_all
from nda.data.clips.sampling import Short, draw_starts, frame_numbers, span
from nda.errors import ShapeError

# What tells apart clips of one recording: UCF101's `_c01`, a letter as in `person1_a`, or in HMDB51
# the number behind the quality, as in `..._goo_0`.
_PART_OF_RECORDING = re.compile(r"_(c\d+|[a-z]|(?<=_goo_|_med_|_bad_)\d+)$")


@dataclass(frozen=True)
class Clips:
    """The videos of one split.

    `labels` is int64 `(N,)`, indices into `classes` (all 0 where there are none); `lengths` int64
    `(N,)` counts the frames of each; frames are uint8 `(3, R, R)` with R = `resolution`. `digests`
    are those of the files' bytes and the way of decoding. `skipped` names the broken videos that
    were left out, each with its reason, and `unlisted` counts those that the split files do not
    name.
    """

    names: tuple[str, ...]
    labels: Tensor
    classes: tuple[str, ...]
    lengths: Tensor
    digests: tuple[str, ...]
    resolution: int
    reader: Reader
    skipped: tuple[str, ...] = ()
    unlisted: int = 0

    @classmethod
    def of(
        cls,
        videos: Sequence[Tensor],
        labels: Tensor | None = None,
        classes: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> Clips:
        """Clips of one's own tensors, each uint8 `(T, 3, R, R)` with any T of 1 or more."""
        for video in videos:
            _check(video, videos[0].shape[-1])
        if not videos:
            raise ShapeError("Clips need at least 1 video; got none.")
        labels = torch.zeros(len(videos), dtype=torch.int64) if labels is None else labels
        if labels.shape != (len(videos),) or labels.dtype.is_floating_point:
            raise ShapeError(
                f"Labels must be whole numbers of shape ({len(videos)},), one a video; got "
                f"{labels.dtype} of shape {tuple(labels.shape)}."
            )
        return cls(
            names=tuple(names) or tuple(f"{index:06d}" for index in range(len(videos))),
            labels=labels.to("cpu", torch.int64),
            classes=tuple(classes),
            lengths=torch.tensor([len(video) for video in videos]),
            digests=tuple(_digest(video) for video in videos),
            resolution=videos[0].shape[-1],
            reader=MemoryReader(videos),
        )

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of names, labels, classes and files: equal ones hold the same data."""
        return digest_of([self.names, self.labels.tolist(), self.classes, self.digests])

    def frames(self, index: int, numbers: Sequence[int] | Tensor | None = None) -> Tensor:
        """Frames of one video, all by default: uint8 `(T, 3, R, R)`."""
        wanted = range(int(self.lengths[index])) if numbers is None else numbers
        return self._read([index], torch.as_tensor(wanted, dtype=torch.int64)[None])[0]

    def sample(
        self,
        indices: Sequence[int] | Tensor,
        *,
        blocks: int = 8,
        frames_per_block: int = 5,
        stride: int = 3,
        generator: torch.Generator | None = None,
        starts: Tensor | None = None,
        short: Short = "loop",
        threads: int | None = None,
    ) -> Tensor:
        """One clip of each video of `indices`: uint8 `(B, blocks * frames_per_block, 3, R, R)`.

        Frame k of a clip is frame `start + k * stride` of its video, as published: the blocks
        follow each other at the same stride. `starts` int64 `(B,)` are drawn from `generator`
        where they are not given. Past its end a video is looped or its last frame repeated
        (`short`). An index may come several times. `threads` read at once, as many as there are
        cores by default.
        """
        rows = torch.as_tensor(indices, dtype=torch.int64)
        lengths = self.lengths[rows]
        reach = span(blocks, frames_per_block, stride)
        if starts is None:
            starts = draw_starts(lengths, reach, generator, short=short)
        count = blocks * frames_per_block
        numbers = frame_numbers(starts, lengths, count, stride, short=short)
        return self._read(rows.tolist(), numbers, threads)

    def shorter_than(self, frames: int) -> int:
        """How many videos have fewer frames, and so are looped or padded (see `span`)."""
        return int((self.lengths < frames).sum())

    def only(self, chosen: Tensor) -> Clips:
        """The videos of these indices, or of this mask, with the same classes."""
        rows = chosen.nonzero()[:, 0] if chosen.dtype == torch.bool else chosen
        some = rows.tolist()
        return replace(
            self,
            names=tuple(self.names[row] for row in some),
            labels=self.labels[rows],
            lengths=self.lengths[rows],
            digests=tuple(self.digests[row] for row in some),
            reader=PartReader(self.reader, some),
        )

    def without_every(self, step: int) -> tuple[Clips, Clips]:
        """The videos without every `step`-th recording in order of names, and those of them.

        Clips of one recording are never parted: UCF101's `g01_c01`, `g01_c02`, HMDB51's
        `..._goo_0`, `..._goo_1`, and names that differ in a last letter alone, such as `person1_a`.
        """
        recordings = [recording_of(name) for name in self.names]
        joined = _joined(recordings, self.digests)
        held = set(sorted(set(joined.values()))[::step])
        mask = torch.tensor([joined[recording] in held for recording in recordings])
        return self.only(~mask), self.only(mask)

    def _read(self, rows: list[int], numbers: Tensor, threads: int | None = None) -> Tensor:
        shape = (*numbers.shape, 3, self.resolution, self.resolution)
        out = np.empty(shape, np.uint8)
        read_all(self.reader, rows, numbers.numpy(), out, threads)
        return torch.from_numpy(out)


def _joined(recordings: Sequence[str], digests: Sequence[str]) -> dict[str, str]:
    """Of each recording, the first of those that equal videos join it with: often itself."""
    joined = {recording: recording for recording in recordings}
    first_of: dict[str, str] = {}
    for recording, digest in sorted(zip(recordings, digests, strict=True)):
        one, other = joined[first_of.setdefault(digest, recording)], joined[recording]
        low, high = sorted((one, other))
        joined = {name: low if root == high else root for name, root in joined.items()}
    return joined


def recording_of(name: str) -> str:
    """The name, without folders and ending, of the recording that a video was cut from."""
    base = posixpath.basename(name)
    stem, ending = posixpath.splitext(base)
    return _PART_OF_RECORDING.sub("", stem if ending.lower() in VIDEO_EXTENSIONS else base)


def _check(video: Tensor, side: int) -> None:
    expected = (len(video) if video.dim() else 0, 3, side, side)
    if video.dtype != torch.uint8 or video.shape != expected or not len(video):
        raise ShapeError(
            f"Videos must be uint8 of shape (T, 3, {side}, {side}), T at least 1; got "
            f"{video.dtype} of shape {tuple(video.shape)}."
        )


def _digest(video: Tensor) -> str:
    pixels = video.cpu().contiguous().numpy()
    return hashlib.blake2b(pixels.data, digest_size=16).hexdigest()
