"""How and where a negative is cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nda.errors import ConfigError
from nda.negatives.base import draw_device, to_device_like

_CYCLES = 4  # of the waves of a boundary, in cycles a side, from 1 on
_REACH = 1 / 16  # of the side: how far a wavy boundary strays


@dataclass(frozen=True)
class Cut:
    """How a negative cuts: softened over `width` pixels or not, where, and how straight.

    Raises:
        ConfigError: for a word that is not one of the negative's, or a `width` less than 1.
    """

    name: str
    seam: str = "hard"
    width: int = 3
    offset: str = "fixed"
    edge: str = "straight"
    seams: tuple[str, ...] = ("hard", "feather", "poisson")

    def __post_init__(self) -> None:
        one_of = {"seam": self.seams, "offset": ("fixed", "random"), "edge": ("straight", "wavy")}
        for setting, words in one_of.items():
            if (given := getattr(self, setting)) not in words:
                raise ConfigError(
                    f"{self.name} was given {setting}={given}; "
                    f"expected {', '.join(words[:-1])} or {words[-1]}"
                )
        if not isinstance(self.width, int) or self.width < 1:
            raise ConfigError(
                f"{self.name} was given width={self.width}; "
                "expected a whole number of pixels from 1 on"
            )

    def __str__(self) -> str:
        """The settings that are not as published, each behind a comma."""
        width = f", width={self.width}" if self.seam == "feather" else ""
        seam = "" if self.seam == "hard" else f", seam={self.seam}{width}"
        offset = "" if self.offset == "fixed" else f", offset={self.offset}"
        return f"{seam}{offset}" + ("" if self.edge == "straight" else f", edge={self.edge}")


def draw_waves(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Phases `(B, 2, 4)` of the waves of a boundary: down and across."""
    shape = (x.shape[0], 2, _CYCLES)
    turn = torch.rand(shape, generator=generator, device=draw_device(x, generator))
    return to_device_like(turn * (2 * math.pi), x)


def places(x: Tensor, waves: Tensor | None, thinnest: int) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel, against which to hold a cut; they broadcast to `(B, H, W)`.

    Without waves these are the pixel's own. With those of `draw_waves`, a row strays along the
    image by whole pixels, up to a 16th of the height but less than half of the `thinnest` piece, of
    which the middle then stays; so does a column.
    """
    H, W = x.shape[-2:]
    row = torch.arange(H, device=x.device)[None, :, None]
    column = torch.arange(W, device=x.device)[None, None, :]
    if waves is None:
        return row, column
    most = max(0, (thinnest - 1) // 2)
    down = _wave(waves[:, 0], W, min(H * _REACH, most))
    across = _wave(waves[:, 1], H, min(W * _REACH, most))
    return row + down[:, None, :], column + across[:, :, None]


def _wave(phase: Tensor, size: int, reach: float) -> Tensor:
    """A smooth, random, whole number between -reach and reach at every place of a side `(B, n)`."""
    cycle = torch.arange(1, _CYCLES + 1, device=phase.device)[:, None]
    place = (torch.arange(size, device=phase.device) + 0.5) / size
    height = (torch.cos(2 * math.pi * cycle * place + phase[..., None]) / cycle).sum(dim=1)
    highest = sum(1 / k for k in range(1, _CYCLES + 1))
    return (height * (reach / highest)).round().long()


def breaks(label: Tensor) -> tuple[Tensor, Tensor]:
    """Between which pixels `(B, H, W)` of unlike labels lie: `(B, H - 1, W)`, `(B, H, W - 1)`."""
    return label[:, 1:] != label[:, :-1], label[:, :, 1:] != label[:, :, :-1]


def near(below: Tensor, beside: Tensor, width: int) -> Tensor:
    """A mask `(B, 1, H, W)` of the pixels within `width` of a break, at a right angle to it."""
    return (_widened(below, -2, width) | _widened(beside, -1, width)).float()[:, None]


def _widened(broken: Tensor, dim: int, width: int) -> Tensor:
    """Marks between pixels along `dim`, spread to the `width` pixels on both sides of each."""
    sides = (width, width) if dim == -1 else (0, 0, width, width)
    spread, count = functional.pad(broken, sides), 1
    while count < 2 * width:  # a mark that covers `count` pixels, at most doubled
        step = min(count, 2 * width - count)
        left = spread.shape[dim] - step
        spread = spread.narrow(dim, step, left) | spread.narrow(dim, 0, left)
        count += step
    return spread


def seams(x: Tensor, beside: Tensor, below: Tensor, width: int | None = None) -> Tensor:
    """A mask `(B, 1, H, W)` of the seams in a grid × grid arrangement of tiles.

    `beside` `(B, grid, grid - 1)` and `below` `(B, grid - 1, grid)` say between which tiles there
    is one, at the right and at the lower side of a tile. A seam is `width` pixels wide (by default
    a 32nd of the side, but at least one) on each of its two tiles, and at most the tile.
    """
    H, W = x.shape[-2:]
    grid = beside.shape[1]
    across = _along(beside.float(), W, width)  # (B, grid, W)
    down = _along(below.mT.float(), H, width).mT  # (B, H, grid)
    across = across.repeat_interleave(H // grid, dim=1)
    down = down.repeat_interleave(W // grid, dim=2)
    return torch.maximum(across, down)[:, None]


def _along(seam: Tensor, size: int, width: int | None) -> Tensor:
    """Spread marks between tiles `(B, rows, grid - 1)` over the pixels of a side `(..., size)`."""
    tiles = seam.shape[-1] + 1
    position = torch.arange(size, device=seam.device)
    bound = torch.arange(1, tiles, device=seam.device)[:, None] * (size // tiles)
    width = min(width or max(1, size // 32), size // tiles)
    near = (position >= bound - width) & (position < bound + width)  # (grid - 1, size)
    return (seam[..., None] * near).amax(dim=-2)
