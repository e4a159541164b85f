"""Frames decoded before, kept on disk, so that a video is decoded once and not in every epoch.

A folder of the cache holds the videos of one source at one resolution: a file of raw uint8 frames
for each, and an index of what was counted. Frames are read from their place in the file, so the
memory in use is that of the frames asked for. Behind each stands its CRC-32, which is taken anew at
every reading: a digest of the whole file would need all of a video read for the few frames asked.
"""

from __future__ import annotations

import hashlib
import json
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nda.data.clips.decode import UnreadableError, all_frames
from nda.data.clips.layout import Video
from nda.data.reading.decode import Fit, Pixels, in_threads, quiet_pillow
from nda.data.reading.source import Source
from nda.errors import DataError
from nda.runtime.files import A_DAY, atomic_file, sweep, write_text_atomically
from nda.runtime.sealed import DamagedError, load_json, sealed_json

_VERSION = 1  # raise it whenever decoding gives other pixels or a file another form
_SAVE_EVERY = 100  # videos, after which the index is written: what an interruption may cost
_INDEX = "index.json"
_CRC = 4  # bytes behind each frame


@dataclass(frozen=True)
class Counted:
    """What reading a video to its end has shown. `stamp` changes with its files, `digest` is one of
    their bytes.
    """

    stamp: str
    digest: str
    frames: int


class ClipStore:
    """The videos of one source at one resolution; `keep` their frames, or count them only.

    `folder` is that of the cache, in which the store has a folder of its own. Only the count is
    quietly left out where it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        where: str,
        resolution: int,
        fit: Fit,
        bit_depth: int | None = None,
        *,
        keep: bool,
    ) -> None:
        settings = [str(Path(where).resolve()), resolution, fit]
        if bit_depth is not None:
            settings.append(bit_depth)
        self.folder = folder / f"clips-{digest_of(settings)}"
        self.resolution, self.fit, self.bit_depth, self.keep = resolution, fit, bit_depth, keep
        self._lock = threading.Lock()
        self._index = self._read_index()
        self._unsaved = 0

    def scan(self, source: Source, videos: Sequence[Video]) -> tuple[list[Counted], dict[int, str]]:
        """Read every video that was not read before, over all cores and under a progress bar.

        Gives what was counted, in order and without the broken ones, and why these are broken.
        """
        counted: dict[int, Counted] = {}

        def read(index: int) -> dict[int, str]:
            try:
                counted[index] = self._count(source, videos[index])
            except UnreadableError as error:
                return {index: str(error)}
            return {}

        if self.keep:
            self._make_folder()
        with quiet_pillow():
            try:
                broken = in_threads(read, range(len(videos)), label="Reading videos")
            finally:
                self._save_index()
        return [counted[index] for index in sorted(counted)], broken

    def path(self, name: str) -> Path:
        """Where the frames of a video are kept."""
        key = name.encode(errors="surrogateescape")  # names need not be UTF-8
        return self.folder / f"{hashlib.blake2b(key, digest_size=12).hexdigest()}.rgb"

    def read(self, name: str, numbers: NDArray[np.int64], out: Pixels) -> None:
        """Write kept frames into `out` `(len(numbers), 3, R, R)`."""
        try:
            with self.path(name).open("rb", buffering=0) as file:
                for frame, number in zip(out, numbers.tolist(), strict=True):
                    file.seek(number * (frame.nbytes + _CRC))
                    if file.readinto(frame.data) != frame.nbytes:
                        raise EOFError
                    if file.read(_CRC) != _checksum(frame.data):
                        raise DamagedError(f"the checksum of frame {number} differs")
        except (OSError, EOFError) as error:
            raise DataError(
                f"The decoded frames of {name} in {self.folder} are gone or cut short. Start "
                "again: they are decoded anew."
            ) from error
        except DamagedError as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: DamagedError) -> DataError:
        """Remove the frames, as a start looks at the size of their file alone."""
        path, remedy = self.path(name), "Start again: they are decoded anew."
        try:
            path.unlink(missing_ok=True)
        except OSError:
            remedy = f"Delete {path} and start again: they are decoded anew."
        return DataError(
            f"The decoded frames of {name} in {self.folder} are not what was written ({error}). "
            + remedy
        )

    def _count(self, source: Source, video: Video) -> Counted:
        stamp = digest_of([(name, *source.stamps[name]) for name in video.members])
        known = self._index.get(video.name)
        if known and known.stamp == stamp and (not self.keep or self._has(video.name, known)):
            return known
        # Of a video file that is only counted, no frame is converted.
        convert = self.keep or bool(video.frames)
        frames = all_frames(source, video, self.resolution, self.fit, convert=convert)
        count = self._write(video.name, frames) if self.keep else sum(1 for _ in frames)
        try:
            found = Counted(stamp, _content(source, video), count)
        except OSError as error:
            raise UnreadableError(error.strerror or "cannot be read") from error
        with self._lock:
            self._index[video.name] = found
            self._unsaved += 1
            due = self._unsaved % _SAVE_EVERY == 0
        if due:
            self._save_index()
        return found

    def _write(self, name: str, frames: Iterator[Pixels | None]) -> int:
        count = 0
        try:
            with atomic_file(self.path(name)) as file:
                for frame in frames:
                    pixels = np.ascontiguousarray(frame).data
                    file.write(pixels)
                    file.write(_checksum(pixels))
                    count += 1
        except OSError as error:
            raise self._no_room(error) from error
        return count

    def _has(self, name: str, known: Counted) -> bool:
        try:
            size = known.frames * (3 * self.resolution**2 + _CRC)
            return self.path(name).stat().st_size == size
        except OSError:
            return False

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._no_room(error) from error
        sweep(self.folder, older=A_DAY)  # other machines may share the cache

    def _no_room(self, error: OSError) -> DataError:
        return DataError(
            f"Decoded frames cannot be kept in {self.folder} ({error.strerror or error}). Make "
            "room, set NDA_CACHE to another folder, or give --cache false to decode in every epoch."
        )

    def _read_index(self) -> dict[str, Counted]:
        try:
            # That of an earlier version has no digest: its videos are read anew.
            found = load_json(self.folder / _INDEX, ("videos",))["videos"]
            return {name: Counted(**counted) for name, counted in found.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _save_index(self) -> None:
        """Write the index, with what another process has added meanwhile."""
        with self._lock:
            together = {**self._read_index(), **self._index}
            content = {name: asdict(counted) for name, counted in together.items()}
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                write_text_atomically(self.folder / _INDEX, sealed_json({"videos": content}))
            except OSError:
                return  # the next start counts again


def _checksum(pixels: memoryview) -> bytes:
    return zlib.crc32(pixels).to_bytes(_CRC, "little")


def digest_of(value: Any) -> str:
    """Hex digest of whatever JSON can write, and of this version of the store."""
    return hashlib.blake2b(json.dumps([_VERSION, value]).encode(), digest_size=16).hexdigest()


def _content(source: Source, video: Video) -> str:
    digest = hashlib.blake2b(digest_size=16)
    folder = Path(source.where)
    for name in video.members:
        if folder.is_dir():
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
        else:
            digest.update(hashlib.blake2b(source.read(name)).digest())
    return digest.hexdigest()
