"""How and where a negative is cut."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.errors import ConfigError


def check_seam(name: str, seam: str, width: int, kinds: tuple[str, ...]) -> None:
    """Refuse a treatment of the seams that a negative does not know, or a feather of no width."""
    if seam not in kinds:
        raise ConfigError(
            f"{name} was given seam={seam}; expected {', '.join(kinds[:-1])} or {kinds[-1]}"
        )
    if not isinstance(width, int) or width < 1:
        raise ConfigError(
            f"{name} was given width={width}; expected a whole number of pixels from 1 on"
        )


def described_seam(seam: str, width: int) -> str:
    """What to add to a negative's description where its cuts are softened."""
    return {"hard": "", "feather": f", seam=feather, width={width}"}.get(seam, f", seam={seam}")


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
