"""Large pictures in overlapping tiles of their own pixels, so that small faults keep theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nda.data.images.stream import open_stream
from nda.data.reading.mapped import room
from nda.errors import DataError

GRID = 8  # pixels: tiles begin at multiples of it, but for the last of a row or column


@dataclass(frozen=True)
class Tiling:
    """Pictures of `width` x `height` pixels in square tiles of `side`.

    Neighbours share `overlap` pixels, less up to 7 for the grid that they begin on, and more where
    the picture is not as long as so many tiles. None reaches beyond the picture.
    """

    width: int
    height: int
    side: int
    overlap: int

    @property
    def corners(self) -> list[tuple[int, int]]:
        """The top and left of each tile, row by row."""
        tops, lefts = (self._begins(length) for length in (self.height, self.width))
        return [(top, left) for top in tops for left in lefts]

    @property
    def places(self) -> tuple[int, int]:
        """Height and width of a map of the picture, whose places are of 8 x 8 pixels."""
        high, wide = (
            (length - self.side + GRID // 2) // GRID + self.side // GRID
            for length in (self.height, self.width)
        )
        return high, wide

    def places_of(self, number: int) -> tuple[slice, slice]:
        """Rows and columns of that map which a tile covers."""
        top, left = ((begin + GRID // 2) // GRID for begin in self.corners[number])
        covers = self.side // GRID
        return slice(top, top + covers), slice(left, left + covers)

    def _begins(self, length: int) -> list[int]:
        """Where tiles begin along a side, evenly spread; the last ends where the side does."""
        last = length - self.side
        count = -(-last // (self.side - self.overlap))  # after the first
        return [*(-(-last * k // (count * GRID)) * GRID for k in range(count)), last]

    def cut(self, picture: Tensor, which: Sequence[int] | None = None) -> Tensor:
        """Tiles uint8 (T, 3, side, side) of a picture (3, height, width): `which`, or all."""
        corners = self.corners
        chosen = corners if which is None else [corners[number] for number in which]
        return torch.stack([picture[:, y : y + self.side, x : x + self.side] for y, x in chosen])

    def misfit(self, picture: Tensor) -> str:
        """Why a picture (3, H, W) is of another size, empty where it is not."""
        height, width = picture.shape[1:]
        if (height, width) == (self.height, self.width):
            return ""
        return (
            f"it has {width} x {height} pixels, and p-values hold for images of {self.width} x "
            f"{self.height} alone, as those of training: with more tiles the highest is higher"
        )


@dataclass(frozen=True)
class LargePictures:
    """Pictures of a folder or .zip by name, all of one size, decoded one at a time."""

    path: str
    names: tuple[str, ...]
    tiling: Tiling
    bit_depth: int | None = None

    @classmethod
    def of(
        cls, path: str, names: Sequence[str], side: int, overlap: int, bit_depth: int | None
    ) -> LargePictures:
        """Pictures of the size that the first of them has.

        Raises `DataError` where a tile does not fit into that.
        """
        height, width = next(_whole(path, names[:1], bit_depth)).shape[1:]
        if min(height, width) < side:
            largest = min(height, width) // 16 * 16
            smaller = f"give a --tile of {largest} or less, or leave it out" if largest else ""
            raise DataError(
                f"{path}: {names[0]} has {width} x {height} pixels, which a tile of {side} does "
                f"not fit into; {smaller or 'leave --tile out'}."
            )
        return cls(path, tuple(names), Tiling(width, height, side, overlap), bit_depth)

    def only(self, rows: Tensor) -> LargePictures:
        """The pictures `rows`, int64 (M,)."""
        return replace(self, names=tuple(self.names[row] for row in rows.tolist()))

    def __iter__(self) -> Iterator[Tensor]:
        """Each uint8 (3, height, width), in order; `DataError` for one of another size."""
        for name, picture in zip(self.names, self.of_any_size(), strict=True):
            if self.tiling.misfit(picture):
                height, width = picture.shape[1:]
                raise DataError(
                    f"{self.path}: {name} has {width} x {height} pixels, and others "
                    f"{self.tiling.width} x {self.tiling.height}; with --tile all must have one "
                    "size, as an image is judged by the highest of its tiles. Give images of one "
                    "size, or leave --tile out."
                )
            yield picture

    def of_any_size(self) -> Iterator[Tensor]:
        """Each uint8 (3, H, W), in order."""
        return _whole(self.path, self.names, self.bit_depth)

    def some_tiles(self, each: int, rng: torch.Generator) -> Tensor:
        """So many tiles of each picture, drawn at random: uint8 (N * each, 3, side, side)."""
        side, count = self.tiling.side, len(self.tiling.corners)
        each = min(each, count)
        found = torch.from_numpy(room(len(self.names) * each, 3, side, side))
        for number, picture in enumerate(self):
            which = torch.randperm(count, generator=rng)[:each].sort().values.tolist()
            found[number * each : (number + 1) * each] = self.tiling.cut(picture, which)
        return found


def _whole(path: str, names: Sequence[str], bit_depth: int | None) -> Iterator[Tensor]:
    with open_stream(path, bit_depth) as stream:
        for name, picture in replace(stream, names=names).whole():
            if isinstance(picture, str):
                raise DataError(f"{path}: {name} cannot be read ({picture}). Mend it.")
            yield picture
