"""Where a negative is cut, and what softens its cuts.

A hard cut is an edge that no picture has, so a discriminator may learn edges instead of structure.
A feathered cut is blurred by a triangular kernel in both directions, at no other place.
"""

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


def feather_grid_(x: Tensor, mask: Tensor, grid: int, width: int) -> Tensor:
    """Blur `x` in place where `mask` is 1, at most `width` pixels from the cuts of a grid."""
    H, W = x.shape[-2:]
    mask = mask.view(x.shape[0], *[1] * (x.dim() - 3), H, W)
    strips = []
    for dim, size in ((-2, H), (-1, W)):
        for cut in range(size // grid, size, size // grid):
            start, stop = max(cut - width, 0), min(cut + width, size)
            strips.append((dim, start, stop - start))
    soft = [blurred(x, width, *strip) for strip in strips]  # all of them before any is written
    for strip, blur in zip(strips, soft, strict=True):
        part = x.narrow(*strip)
        mixed = part.to(blur.dtype).lerp(blur, mask.narrow(*strip).to(blur.dtype))
        part.copy_(mixed if x.is_floating_point() else mixed.round_())
    return x


def blurred(x: Tensor, width: int, dim: int, start: int, length: int) -> Tensor:
    """A strip of `x` under the triangular kernel of 2 × `width` + 1 taps, at least in float32.

    The borders of the image reflect, their pixels not repeated.
    """
    exact = torch.promote_types(x.dtype, torch.float32)
    other = -3 - dim  # of -1 and -2, the one that `dim` is not
    for side, first, count in ((dim, start, length), (other, 0, x.shape[other])):
        place = torch.arange(first - width, first + count + width, device=x.device)
        x = x.index_select(side, reflected(place, x.shape[side]))
    x = x.to(exact)
    for side in (dim, dim, other, other):  # two boxes one after the other are a triangle
        x = box_sum(x, side, width + 1)
    return x.div_((width + 1) ** 4)


def box_sum(x: Tensor, dim: int, count: int) -> Tensor:
    """Sums of `count` neighbours along `dim`, which becomes `count - 1` shorter."""
    if count == 1:
        return x
    half = count // 2
    part = box_sum(x, dim, half)
    length = x.shape[dim] - count + 1
    total = part.narrow(dim, 0, length) + part.narrow(dim, half, length)
    return total + x.narrow(dim, count - 1, length) if count % 2 else total


def reflected(position: Tensor, size: int) -> Tensor:
    """Fold any positions into 0 to `size - 1`, as between two mirrors on the border pixels."""
    period = max(1, 2 * (size - 1))
    position = position % period
    return torch.minimum(position, period - position)
