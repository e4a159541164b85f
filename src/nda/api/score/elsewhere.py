"""Pictures of a stream opened again in another process, on this machine or on another one.

A share of the work is names and stamps. Who gets it says too which of the files are not there as
they were listed, which on another machine may be all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from nda.data.images.stream import Stream, stream_of_paths
from nda.data.reading.open import open_member
from nda.data.reading.source import UNREAD_PICTURES, Source, open_source, source_of_files
from nda.data.reading.values import Values

Stamp = tuple[int, int]


@dataclass(frozen=True)
class Share:
    """Some files of a stream; `stamps` is empty for paths, of which nothing is known."""

    names: Sequence[str]
    stamps: Sequence[Stamp] = ()


@dataclass(frozen=True)
class Opening:
    """How a stream's files are opened again: `loose` below a folder or as paths (""), or not.

    What is not loose, an archive, is opened as a whole.
    """

    where: str
    loose: bool
    bit_depth: int | None

    @classmethod
    def of(cls, stream: Stream) -> Opening:
        """That of a stream of files."""
        assert stream.where is not None
        return cls(stream.where, stream.loose, stream.values.bit_depth)

    def opener(self, opened: ExitStack) -> Callable[[Share], Stream]:
        """What makes a stream of each share, its `stamps` those of the files as they are here.

        An archive is opened once; `DataError` where it cannot be.
        """
        if not self.loose:
            archive = open_source(Path(self.where), UNREAD_PICTURES)
            return partial(self._stream_of, opened.enter_context(archive))
        return self._of_folder if self.where else self._of_paths

    def path_of(self, name: str) -> str:
        """What to call a file in a sentence."""
        return os.path.join(self.where, name)  # noqa: PTH118  # "" joins to the name alone

    def is_here(self, name: str, stamp: Stamp | None) -> bool:
        """Whether a file that is none of an archive is here, of the size that it was listed with.

        A link to nothing is: it cannot be read anywhere.
        """
        path = Path(self.path_of(name)).expanduser()
        try:
            size = path.stat().st_size
        except OSError:
            return os.path.lexists(path)
        return stamp is None or size == stamp[0]

    def missing(self, share: Share, stream: Stream) -> list[str]:
        """The names of a share that are not as they were listed where its `stream` was opened."""
        listed = dict(zip(share.names, share.stamps, strict=True)) if share.stamps else {}
        if not self.loose:
            return [name for name, stamp in listed.items() if stream.stamps.get(name) != stamp]
        return [name for name in share.names if not self.is_here(name, listed.get(name))]

    def _of_folder(self, share: Share) -> Stream:
        stamps = dict(zip(share.names, share.stamps, strict=True))
        return self._stream_of(source_of_files(Path(self.where), stamps), share)

    def _of_paths(self, share: Share) -> Stream:
        return stream_of_paths(share.names, self.bit_depth)

    def _stream_of(self, source: Source, share: Share) -> Stream:
        source = replace(source, values=Values(self.bit_depth))  # to tell of this share alone
        opener = partial(open_member, source)
        return Stream(
            share.names, len(share.names), opener, source.values, self.where, source.stamps
        )


def shares_of(stream: Stream, size: int) -> Iterator[Share]:
    """A stream's names, `size` at a time."""
    left = iter(stream.names)
    while names := list(islice(left, size)):
        yield Share(names, [stream.stamps[name] for name in names] if stream.stamps else ())
