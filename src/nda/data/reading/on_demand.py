"""Images that are decoded when they are taken: a tensor of more than memory or the disk holds.

`OnDemand` stands where a tensor uint8 (N, 3, R, R) does. Its shape is known at once. Rows of it are
decoded as they are asked for, on all cores, and ahead of that where it is told which come next.
Whatever else is done with it sees the whole tensor, decoded into a file that the system maps.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nda.data.reading.decode import Fit, Pixels, different_sizes, read_pixels, unreadable
from nda.data.reading.mapped import LARGE, room

_BLOCK_BYTES = 2**25  # of pixels that are decoded at once beyond those that were announced
_TASKS = 4  # a thread, so that none waits long for another's last image


@dataclass(frozen=True)
class Known:
    """What was found when every picture was read once, row by row.

    `digests` uint8 (N, 16) tell images apart; `thumbnails` float32 (N, D) are those of
    `nda.data.images.copies`.
    """

    digests: Tensor
    thumbnails: Tensor


@dataclass(frozen=True)
class Pictures:
    """Files of pictures in order, and how they become squares of `side` pixels."""

    where: str
    names: list[str]
    open_image: Callable[[str], Image.Image]
    side: int
    resolution: int | None
    fit: Fit

    def read(self, row: int) -> Pixels | str:
        """One picture (3, side, side), or why it cannot be read; `DataError` for another size."""
        name = self.names[row]
        pixels = read_pixels(partial(self.open_image, name), self.resolution, self.fit)
        if isinstance(pixels, str):
            return pixels
        if pixels.shape != (self.side, self.side, 3):
            raise different_sizes(self.where, self.names[0], self.side, name, pixels)
        return pixels.transpose(2, 0, 1)

    def block(self, rows: list[int]) -> Pixels:
        """Pictures (n, 3, side, side); `DataError` where one cannot be read."""
        found = np.empty((len(rows), 3, self.side, self.side), np.uint8)
        for place, row in enumerate(rows):
            pixels = self.read(row)
            if isinstance(pixels, str):
                raise unreadable(self.where, self.names, {row: pixels})
            found[place] = pixels
        return found

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count())


class Decoder:
    """Decodes rows of pictures, those first that were announced."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self._waiting: dict[int, tuple[Future[Pixels], int]] = {}  # row: its block, place in it
        # For good, as threads decode while the caller works: `quiet_pillow` holds for a while only.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)

    def prepare(self, rows: Tensor) -> None:
        """Begin to decode what will be taken soon."""
        todo = [row for row in dict.fromkeys(rows.tolist()) if row not in self._waiting]
        size = max(1, -(-len(todo) // (_TASKS * (os.cpu_count() or 1))))
        for first in range(0, len(todo), size):
            some = todo[first : first + size]
            block = self.pictures.pool.submit(self.pictures.block, some)
            self._waiting |= {row: (block, place) for place, row in enumerate(some)}

    def take(self, rows: Tensor) -> Tensor:
        """The pictures `rows` int64 (M,), as uint8 (M, 3, R, R)."""
        side = self.pictures.side
        found = torch.from_numpy(room(len(rows), 3, side, side))
        parts = rows.split(max(1, _BLOCK_BYTES // (3 * side * side)))
        for number, part in enumerate(parts):
            for ahead in parts[number : number + 2]:
                self.prepare(ahead)
            begin = number * len(parts[0])
            for place, row in enumerate(part.tolist()):
                block, within = self._waiting[row]
                found[begin + place] = torch.from_numpy(block.result()[within])
            later = set(parts[number + 1].tolist()) if number + 1 < len(parts) else set()
            for row in set(part.tolist()) - later:
                del self._waiting[row]
        return found


class OnDemand(Tensor):
    """Rows of pictures as a tensor uint8 (N, 3, R, R) on the CPU, of which none is kept."""

    decoder: Decoder
    rows: Tensor  # int64 (N,), of the pictures
    known: Known  # of all pictures

    @staticmethod
    def __new__(cls, decoder: Decoder, rows: Tensor, known: Known) -> OnDemand:
        side = decoder.pictures.side
        made = Tensor._make_wrapper_subclass(cls, (len(rows), 3, side, side), dtype=torch.uint8)
        assert isinstance(made, OnDemand)
        made.decoder, made.rows, made.known = decoder, rows, known
        return made

    def __init__(self, decoder: Decoder, rows: Tensor, known: Known) -> None:
        super().__init__()

    @property
    def digests(self) -> Tensor:
        """What tells these images apart, uint8 (N, 16)."""
        return _at(self.known.digests, self.rows)

    @property
    def thumbnails(self) -> Tensor:
        """Their thumbnails, float32 (N, D)."""
        return _at(self.known.thumbnails, self.rows)

    def prepare(self, index: Tensor) -> None:
        """Begin to decode what will be taken soon."""
        self.decoder.prepare(self.rows[index])

    def only(self, index: Tensor | slice) -> Tensor:
        """Some of them: decoded at once where they are few, else when they are taken."""
        some = self.rows[index]
        if 3 * self.decoder.pictures.side**2 * len(some) < LARGE:
            return self.decoder.take(some)
        return OnDemand(self.decoder, some, self.known)

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, slice):
            return self.only(index)
        if isinstance(index, int):
            return self.decoder.take(self.rows[index][None])[0]
        if isinstance(index, Tensor) and index.dim() == 1:
            return self.decoder.take(self.rows[index.cpu()])
        return self.decoder.take(self.rows)[index]

    def split(self, size: Any, dim: int = 0) -> Any:
        if dim or not isinstance(size, int):
            return self.decoder.take(self.rows).split(size, dim)
        return self._parts(size)

    def _parts(self, size: int) -> Iterator[Tensor]:
        parts = self.rows.split(size)
        for part, following in zip_longest(parts, parts[1:]):
            taken = self.decoder.take(part)
            if following is not None:
                self.decoder.prepare(following)  # while the caller works
            yield taken

    def numpy(self, *, force: bool = False) -> Any:
        return self.decoder.take(self.rows).numpy()

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Every operation but those above is given the decoded tensor."""
        if func is torch.ops.aten.detach.default:
            return args[0]
        return func(*map(_decoded, args), **{k: _decoded(v) for k, v in (kwargs or {}).items()})


def _at(table: Tensor, rows: Tensor) -> Tensor:
    """The rows of a table; the table itself, which may lie on the disk, where they are all."""
    whole = len(rows) == len(table) and torch.equal(rows, torch.arange(len(table)))
    return table if whole else table[rows]


def _decoded(value: Any) -> Any:
    if isinstance(value, OnDemand):
        return value.decoder.take(value.rows)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_decoded, value))
    return value
