"""Files that carry a SHA-256 of themselves, so that not one flipped bit goes unseen.

An archive of torch carries it in its comment, a safetensors file among its metadata, JSON under a
key: all still open in any other program. Files of earlier versions have none. Of their archives the
checksums of all entries are tried instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from nda.errors import CheckpointError

_MARK = b"nda sha256 "
_COMMENT = len(_MARK) + 64  # bytes of an archive's comment
_END = b"PK\5\6"  # begins an archive's last record, of 22 bytes where there is no comment
_KEY = "sha256"
_HOLE = "0" * 64  # what is hashed in place of the digest
_FIELD = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_LONGEST_HEADER = 1 << 24  # bytes of JSON: a header of ours has a hundred a tensor


class DamagedError(ValueError):
    """A file is not, byte by byte, what was written."""


@contextmanager
def read_as(what: str, path: Path, remedy: str) -> Iterator[None]:
    """Say of a file that is damaged or foreign, by whatever was met in it, that it is no `what`.

    Raises `CheckpointError`, which ends with the `remedy`.
    """
    try:
        yield
    except CheckpointError:
        raise
    except (
        OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, RecursionError,
    ) as error:  # fmt: skip
        raise CheckpointError(
            f"{path} is damaged or no {what} of this version of nda "
            f"({' '.join(str(error).split())[:120]}). {remedy}"
        ) from error


class _Hashing:
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def save_archive(content: Any, file: BinaryIO) -> None:
    """`torch.save`, with the digest of all that it writes as the archive's comment."""
    hashing = _Hashing(file)
    torch.save(content, hashing)  # type: ignore[arg-type]  # write and flush are all it asks for
    file.seek(-2, os.SEEK_END)  # the length of the comment, which was none when it was hashed
    file.write(_COMMENT.to_bytes(2, "little") + _MARK + hashing.digest.hexdigest().encode())


def check_archive(path: Path) -> None:
    """Raise `DamagedError` where an archive of torch is not what was written.

    One that was written without a digest passes if the checksum of every entry is right.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _COMMENT - 22))
        tail = file.read()
        if len(tail) < 22:
            raise DamagedError("it is cut short")
        if tail[-22:-18] == _END and tail[-2:] == bytes(2):
            _check_entries(path, size)
            return
        comment = tail[-_COMMENT:]
        length = tail[-_COMMENT - 2 : -_COMMENT]
        if not comment.startswith(_MARK) or length != _COMMENT.to_bytes(2, "little"):
            raise DamagedError("its end is not that of an archive")
        file.seek(0)
        digest = hashlib.sha256()
        left = size - _COMMENT - 2
        while left and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        digest.update(bytes(2))
    if digest.hexdigest().encode() != comment[len(_MARK) :]:
        raise DamagedError("its contents are not what was written: their SHA-256 differs")


def _check_entries(path: Path, size: int) -> None:
    """The checksums of an archive whose entries are stored as they are, as torch does."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > size:
                raise DamagedError("its entries claim more than the file holds")
            broken = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DamagedError(str(error)) from error
    if broken is not None:
        raise DamagedError(f"the checksum of {broken} differs")


def save_tensors(tensors: dict[str, Tensor], name: str, about: str) -> bytes:
    """A safetensors file with the text `about` as its metadata `name`, and its own digest."""
    plain = save(tensors)
    end = 8 + int.from_bytes(plain[:8], "little")
    # By hand, as safetensors writes several metadata in another order each time.
    fields = {"__metadata__": {_KEY: _HOLE, name: about}, **json.loads(plain[8:end])}
    header = json.dumps(fields, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    hashed = hashlib.sha256(len(header).to_bytes(8, "little") + header)
    hashed.update(memoryview(plain)[end:])
    header = header.replace(_HOLE.encode(), hashed.hexdigest().encode(), 1)
    return len(header).to_bytes(8, "little") + header + plain[end:]


def load_tensors(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file that `save_tensors` wrote, or of one without a digest.

    `names` are all the metadata it may have. Raises `DamagedError` where it was changed since, or
    is no such file, and `OSError` where it cannot be read.
    """
    content = path.read_bytes()
    about = _metadata(content)
    # So that a flipped bit in the name of the digest does not make a file without one of it.
    if unknown := sorted(set(about) - {*names, _KEY}):
        raise DamagedError(f"its metadata name {unknown[0][:40]!r}")
    if _KEY in about:
        found = _FIELD.search(content, 8, 8 + int.from_bytes(content[:8], "little"))
        if found is None:
            raise DamagedError("its SHA-256 is none")
        hashed = hashlib.sha256(content[: found.start(1)])
        hashed.update(_HOLE.encode())
        hashed.update(memoryview(content)[found.end(1) :])
        if hashed.hexdigest().encode() != found.group(1):
            raise DamagedError("its contents are not what was written: their SHA-256 differs")
    try:
        return load(content), about
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DamagedError(" ".join(str(error).split())[:120]) from error


def sealed_json(content: dict[str, Any], *, indent: int | None = None) -> str:
    """`content` as JSON, with the digest of what it says as another key."""
    return json.dumps(content | {_KEY: _said(content)}, indent=indent)


def load_json(path: Path, names: tuple[str, ...], *, unsealed: bool = False) -> dict[str, Any]:
    """What `sealed_json` made into the file `path`, or with `unsealed` JSON without a digest.

    `names` are all the keys it may have. Raises `DamagedError` where it says something else than
    was written, and `OSError` where it cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedError("it is no JSON") from error
    # So that a flipped bit in the name of the digest does not make a file without one of it.
    if not isinstance(content, dict) or not set(content) <= {*names, _KEY}:
        raise DamagedError("its keys are not those that were written")
    digest = content.pop(_KEY, None)
    if digest != _said(content) and not (unsealed and digest is None):
        raise DamagedError("its contents are not what was written: their SHA-256 differs")
    return content


def _said(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _metadata(content: bytes) -> dict[str, str]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(_LONGEST_HEADER, len(content) - 8):
        raise DamagedError("it is cut short")
    try:
        about = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except (ValueError, AttributeError, RecursionError) as error:
        raise DamagedError("its header cannot be read") from error
    if not isinstance(about, dict) or not all(isinstance(each, str) for each in about.values()):
        raise DamagedError("its metadata are no texts")
    return about
