"""One tar after another, each with an index of what lies where in it."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from nda.data.reading.shards import TAR, index_of
from nda.runtime.files import write_text_atomically
from nda.runtime.sealed import sealed_json


@dataclass(frozen=True)
class Sample:
    """An image file as it is, its name in its source, and the number of its class if it has one."""

    name: str
    content: bytes
    label: int | None


def write_tars(
    folder: Path, part: str, samples: Iterator[Sample], most_bytes: int
) -> list[dict[str, Any]]:
    """Write samples in their order into tars of about `most_bytes`; gives what a list says of each.

    They are numbered through all tars of the part. An image larger than that has one of its own.
    """
    shards: list[dict[str, Any]] = []
    written, waiting = 0, next(samples, None)
    while waiting is not None:
        name = f"{part}-{len(shards):06d}{TAR}"
        with (folder / name).open("xb") as file:
            tar = _Tar(file)
            while waiting is not None and tar.has_room(len(waiting.content), most_bytes):
                tar.add(f"{written:09d}", waiting)
                written, waiting = written + 1, next(samples, None)
            tar.close()
            os.fsync(file.fileno())
            size = file.tell()
        digest = tar.digest.hexdigest()
        index = sealed_json({"tar_sha256": digest, **tar.columns})
        write_text_atomically(folder / index_of(name), index + "\n")
        images = len(tar.columns["names"])
        shards.append({"name": name, "bytes": size, "images": images, "sha256": digest})
    return shards


class _Tar(io.RawIOBase):
    """A tar that is written to a file and hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()
        self.columns: dict[str, list[Any]] = {
            "names": [], "offsets": [], "sizes": [], "crc32": [],
        }  # fmt: skip
        self._archive = tarfile.TarFile(fileobj=self, mode="w", format=tarfile.USTAR_FORMAT)

    def has_room(self, size: int, most_bytes: int) -> bool:
        return not self.columns["names"] or self._archive.offset + size <= most_bytes

    def add(self, key: str, sample: Sample) -> None:
        """The image and its class, under one key as WebDataset reads them."""
        content = sample.content
        offset = self._member(key + PurePosixPath(sample.name).suffix.lower(), content)
        if sample.label is not None:
            self._member(f"{key}.cls", str(sample.label).encode())
        said = (sample.name, offset, len(content), zlib.crc32(content))
        for column, value in zip(self.columns.values(), said, strict=True):
            column.append(value)

    def _member(self, name: str, content: bytes) -> int:
        """Write a file of no owner and no date; gives where its bytes begin."""
        header = tarfile.TarInfo(name)
        header.size = len(content)
        offset = self._archive.offset + tarfile.BLOCKSIZE
        self._archive.addfile(header, io.BytesIO(content))
        return offset

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """End the tar; the file stays open."""
        if not self.closed:
            self._archive.close()
            self._file.flush()
        super().close()
