"""Images with a seam and their structure whole, and with a broken structure and no such seam.

What a jigsaw does to an image comes apart in these: whoever learned its seams reacts to the former,
whoever learned structure to the latter. Lengths are those of images of 32 pixels, and grow with
the side.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ShapeError
from nda.negatives import Jigsaw, Stitch

Treatment = Callable[[Tensor, torch.Generator], Tensor]

SIDE = 32  # pixels of the images that lengths are given for
ROLLS = (16, 12, 8, 5, 2)
MOVED = 2
FEATHER = 3  # pixels on either side of a seam


def scaled(length: int, side: int) -> int:
    """A length of images of 32 pixels in those of `side` pixels, at least 1."""
    return max(1, round(length * side / SIDE))


def jigsaws(grid: int, side: int) -> tuple[Jigsaw, Jigsaw]:
    """A jigsaw with hard seams and one with blurred seams, for the same draws."""
    return Jigsaw(grid), Jigsaw(grid, seam="feather", width=scaled(FEATHER, side))


def treatments(side: int) -> dict[str, Treatment]:
    """By name what is done to images (B, C, side, side), each giving a new tensor of that shape."""
    stitch = Stitch()
    return {
        "quadrants moved": move_quadrants,
        **{f"rolled by {scaled(r, side)} rows": _rolled(scaled(r, side)) for r in ROLLS},
        "upside down": lambda x, _: x.flip(2),
        "rotated by 90°": lambda x, _: x.rot90(1, (2, 3)),
        "stitch": lambda x, rng: stitch(x, generator=rng),
    }


def _rolled(rows: int) -> Treatment:
    return lambda x, _: x.roll(rows, dims=2)


def move_quadrants(x: Tensor, rng: torch.Generator) -> Tensor:
    """The quadrants of images (B, C, H, W) in their order, each moved by up to 2 pixels of 32.

    A move (dy, dx) is uniform among all but (0, 0), for each quadrant of each image by itself.
    Uncovered pixels mirror the image at its border. Raises `ShapeError` for an odd height or width.
    """
    B, C, H, W = x.shape
    if H % 2 or W % 2:
        raise ShapeError(
            f"Images of {H} x {W} (height x width) have no four equal quadrants; crop or resize "
            "them to even sizes."
        )
    most = scaled(MOVED, min(H, W))
    across = 2 * most + 1
    moves = torch.randint(across**2 - 1, (B, 4), generator=rng, device=rng.device).to(x.device)
    moves += moves >= across**2 // 2  # the middle one would be no move
    down, right = moves // across - most, moves % across - most  # (B, 4) each
    padded = F.pad(x, (most, most, most, most), mode="reflect")
    image = torch.arange(B, device=x.device)[:, None, None, None]
    channel = torch.arange(C, device=x.device)[:, None, None]
    out = torch.empty_like(x)
    for k in range(4):
        top, left = k // 2 * (H // 2), k % 2 * (W // 2)
        rows = torch.arange(H // 2, device=x.device) + top + most + down[:, k, None]
        columns = torch.arange(W // 2, device=x.device) + left + most + right[:, k, None]
        part = padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
        out[..., top : top + H // 2, left : left + W // 2] = part
    return out
