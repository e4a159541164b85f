"""What gives the frames of a set of videos: memory, the cache, or the files themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nda.data.clips.decode import UnreadableError, chosen_frames
from nda.data.clips.frame_store import ClipStore
from nda.data.clips.layout import VIDEO_EXTENSIONS, Video
from nda.data.reading.decode import Pixels
from nda.data.reading.source import EXTENSIONS, Source, open_source
from nda.errors import DataError

Numbers = NDArray[np.int64]


class Reader(Protocol):
    """What gives the frames of a video; called from several threads."""

    def read(self, index: int, numbers: Numbers, out: Pixels) -> None:
        """Write frames `numbers` of video `index` into `out` `(len(numbers), 3, R, R)`."""


class MemoryReader:
    """Videos that are tensors already, each uint8 `(T, 3, R, R)`."""

    def __init__(self, videos: Sequence[Tensor]) -> None:
        self.videos = [video.numpy(force=True) for video in videos]

    def read(self, index: int, numbers: Numbers, out: Pixels) -> None:
        np.take(self.videos[index], numbers, axis=0, out=out)


class PartReader:
    """Some videos of another reader."""

    def __init__(self, whole: Reader, rows: Sequence[int]) -> None:
        self.whole, self.rows = whole, rows

    def read(self, index: int, numbers: Numbers, out: Pixels) -> None:
        self.whole.read(self.rows[index], numbers, out)


class FileReader:
    """Videos of a source, from the store where it keeps their frames, else decoded at each call.

    Decoding begins with the first frame of a video and ends with the last one asked for. A source
    that is needed is opened once and stays open.
    """

    def __init__(
        self, path: Path, videos: Sequence[Video], lengths: Sequence[int], store: ClipStore
    ) -> None:
        self.path, self.videos, self.lengths, self.store = path, videos, lengths, store
        self._source: Source | None = None
        self._opened = ExitStack()
        self._lock = threading.Lock()

    def read(self, index: int, numbers: Numbers, out: Pixels) -> None:
        video = self.videos[index]
        if self.store.keep:
            self.store.read(video.name, numbers, out)
            return
        try:
            self._decode(index, numbers, out)
        except UnreadableError as error:
            raise DataError(
                f"{self.path}: {video.name} cannot be read any more ({error}). Start again, with "
                "the files that were there."
            ) from error

    def _decode(self, index: int, numbers: Numbers, out: Pixels) -> None:
        wanted = set(numbers.tolist())
        source, settings = self._open(), (self.store.resolution, self.store.fit)
        video, length = self.videos[index], self.lengths[index]
        for number, frame in chosen_frames(source, video, wanted, length, *settings):
            out[numbers == number] = frame()

    def _open(self) -> Source:
        with self._lock:
            if self._source is None:
                self._source = self._opened.enter_context(
                    open_videos(self.path, self.store.bit_depth)
                )
            return self._source


def open_videos(path: Path, bit_depth: int | None = None) -> AbstractContextManager[Source]:
    """The videos, frames and split files under `path`, a folder or a `.zip`; or one video file."""
    if path.suffix.lower() in VIDEO_EXTENSIONS and path.is_file():
        status = path.stat()
        stamps = {path.name: (status.st_size, status.st_mtime_ns)}
        folder = path.parent
        return nullcontext(Source(str(folder), stamps, lambda name: (folder / name).read_bytes()))
    needed = (*VIDEO_EXTENSIONS, *EXTENSIONS)
    return open_source(
        path, (".txt",), needed=needed, kind="videos or frames of them", bit_depth=bit_depth
    )


def read_all(
    reader: Reader, indices: Sequence[int], numbers: Numbers, out: Pixels, threads: int | None
) -> None:
    """Frames `numbers` `(B, T)` of videos `indices` into `out` `(B, T, 3, R, R)`, in threads."""

    def read(row: int) -> None:
        reader.read(indices[row], numbers[row], out[row])

    rows = range(len(indices))
    workers = min(len(indices), threads or os.cpu_count() or 1)
    if workers < 2:
        for row in rows:
            read(row)
        return
    with ThreadPoolExecutor(workers) as pool:
        try:
            list(pool.map(read, rows))
        finally:
            pool.shutdown(cancel_futures=True)
