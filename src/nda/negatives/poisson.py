"""Gradient-domain blending: an image with the gradients of its pieces, and no step between them.

Pérez et al., "Poisson image editing" (SIGGRAPH 2003), with free borders: the discrete cosine
transform solves it exactly, for a whole batch in four matrix products. What is solved for is the
correction to the hard cut, whose gradients are zero but at the cuts. So nothing is corrected where
nothing was broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from nda.negatives.feather import over_planes


def blend_pieces(x: Tensor, lay: Callable[[Tensor], Tensor]) -> Tensor:
    """`lay(x)`, a rearrangement, with every step across a cut replaced by a gradient of `x`.

    It is the gradient with which the upper or left piece ran on in the image, none at its border.
    """
    image = x.to(torch.promote_types(x.dtype, torch.float32))
    down = functional.pad(image.diff(dim=-2), (0, 0, 0, 1))
    across = functional.pad(image.diff(dim=-1), (0, 1))
    hard, down, across = lay(torch.cat([image, down, across], dim=-3)).chunk(3, dim=-3)
    down = down[..., :-1, :] - hard.diff(dim=-2)
    across = across[..., :-1] - hard.diff(dim=-1)
    return _corrected(hard, down, across, x)


def blend_tiles(x: Tensor, hard: Tensor, order: Tensor, grid: int) -> Tensor:
    """As `blend_pieces` for a grid of equal tiles, of which `hard` is the rearrangement of `x`.

    Place k holds tile `order[b, k]`. What is wished for lies along few lines, which is much less
    to compute.
    """
    exact = torch.promote_types(x.dtype, torch.float32)
    order = order.view(-1, grid, grid)
    turned = (order % grid * grid + order // grid).mT  # as numbered in the transposed image
    image, result = x.to(exact), hard.to(exact)
    down = _steps(image, result, order, grid)
    across = _steps(image.mT, result.mT, turned, grid)
    return _limited(result, line_potential(down, across, grid), x)


def _steps(image: Tensor, hard: Tensor, order: Tensor, grid: int) -> Tensor:
    """What is missing from the steps across the level cuts of a grid: `(B, P, grid - 1, W)`."""
    B, (H, W) = image.shape[0], image.shape[-2:]
    cuts = slice(H // grid, None, H // grid), slice(H // grid - 1, -1, H // grid)  # below, above
    run_on = image[..., cuts[0], :] - image[..., cuts[1], :]
    tiles = functional.pad(run_on, (0, 0, 0, 1)).reshape(B, -1, grid**2, W // grid)
    index = order[:, :-1].reshape(B, 1, -1, 1).expand(-1, tiles.shape[1], -1, W // grid)
    moved = tiles.gather(2, index).view(B, -1, grid - 1, W)
    step = hard[..., cuts[0], :] - hard[..., cuts[1], :]
    return moved - step.reshape(moved.shape)


def blend_patch(x: Tensor, other: Tensor, inside: Tensor) -> Tensor:
    """`other` where `inside` `(B, H, W)` is true, else `x`, and no step between the two.

    Across the edge of the patch the gradient is the mean of theirs.
    """
    exact = torch.promote_types(x.dtype, torch.float32)
    patch = over_planes(inside, x).to(exact)
    image = x.to(exact)
    apart = other.to(exact) - image
    hard = torch.addcmul(image, apart, patch)
    down = (apart[..., 1:, :] + apart[..., :-1, :]) * patch.diff(dim=-2) * -0.5
    across = (apart[..., 1:] + apart[..., :-1]) * patch.diff(dim=-1) * -0.5
    return _corrected(hard, down, across, x)


def blend_halves(x: Tensor, hard: Tensor, partner: Tensor, upright: Tensor) -> Tensor:
    """As `blend_patch` for a patch that is the right or the lower half, of which `hard` is made."""
    image = x.to(torch.promote_types(x.dtype, torch.float32))
    down = _steps_at_middle(image, partner) * ~upright[:, None, None, None]
    across = _steps_at_middle(image.mT, partner) * upright[:, None, None, None]
    return _limited(hard.to(image.dtype), line_potential(down, across, 2), x)


def _steps_at_middle(image: Tensor, partner: Tensor) -> Tensor:
    """What is missing from the steps down to the partner's lower half: `(B, P, 1, W)`."""
    H, W = image.shape[-2:]
    own = image[..., H // 2 - 1 : H // 2 + 1, :]
    apart = own.index_select(0, partner) - own
    return apart.sum(dim=-2).mul(-0.5).reshape(len(image), -1, 1, W)


def _corrected(hard: Tensor, down: Tensor, across: Tensor, x: Tensor) -> Tensor:
    """`hard` with its differences changed."""
    return _limited(hard, potential(down, across), x)


def _limited(hard: Tensor, correction: Tensor, x: Tensor) -> Tensor:
    """`hard` corrected, within its own range image by image, in the dtype of `x`."""
    values, ones = hard.flatten(-3), (*hard.shape[:-3], 1, 1, 1)
    # Quicker than aminmax and than clamp.
    lowest, highest = values.amin(dim=-1).view(ones), values.amax(dim=-1).view(ones)
    result = correction.view(hard.shape).add_(hard).maximum(lowest).minimum(highest)
    return (result if x.is_floating_point() else result.round()).to(x.dtype)


def potential(down: Tensor, across: Tensor) -> Tensor:
    """The image of mean 0 whose differences come nearest to those given, in the sum of squares.

    `down` `(..., H - 1, W)` and `across` `(..., H, W - 1)` are wished for; `(..., H, W)` is found.
    """
    surplus = functional.pad(down, (0, 0, 0, 1)) - functional.pad(down, (0, 0, 1, 0))
    surplus = surplus + functional.pad(across, (0, 1)) - functional.pad(across, (1, 0))
    H, W = surplus.shape[-2:]
    rows, columns = cosines(H, surplus), cosines(W, surplus)
    with torch.autocast(surplus.device.type, enabled=False):
        spectrum = rows @ (surplus.reshape(-1, H, W) @ columns.mT)
        spectrum = spectrum * _inverse_laplacian(H, W, surplus)
        solved = rows.mT @ (spectrum @ columns)
    return solved.view(surplus.shape)


def line_potential(down: Tensor, across: Tensor, grid: int) -> Tensor:
    """`potential` where differences are wished for only across the cuts of a grid, else none.

    `down` `(B, P, grid - 1, W)` and, transposed, `across` `(B, P, grid - 1, H)`: `(B * P, H, W)`.
    """
    W, H = down.shape[-1], across.shape[-1]
    with torch.autocast(down.device.type, enabled=False):
        level = _of_level_cuts(down, H, grid) @ cosines(W, down)
        upright = cosines(H, down).mT @ _of_level_cuts(across, W, grid).mT
        if grid == 2:
            level, upright = (
                torch.cat([half, -half.flip(dim)], dim)
                for half, dim in ((level, -2), (upright, -1))
            )
        return level.add_(upright)


def _of_level_cuts(steps: Tensor, H: int, grid: int) -> Tensor:
    """What wished-for `steps` `(B, P, grid - 1, W)` down across level cuts give: `(B * P, H, W)`.

    Row by row, in frequencies along the rows. The upper half of the rows suffices for a single cut,
    about which they are odd.
    """
    W = steps.shape[-1]
    rows, tile = cosines(H, steps), H // grid
    cut = rows[:, tile - 1 : -1 : tile] - rows[:, tile::tile]  # a step's transform: (H, grid - 1)
    seen = rows[:, : H // 2] if grid == 2 else rows
    of_one = seen.mT @ (cut.mT[:, :, None] * _inverse_laplacian(H, W, steps))  # (grid - 1, H, W)
    waves = (steps.reshape(-1, W) @ cosines(W, steps).mT).view(-1, grid - 1, 1, W)
    first, *others = (waves[:, k] * of_one[k] for k in range(grid - 1))
    return sum(others, first)


def cosines(size: int, like: Tensor) -> Tensor:
    """The orthonormal discrete cosine transform (DCT-II), a row a frequency: `(size, size)`."""
    place = torch.arange(size, device=like.device)
    turn = place[:, None] * (2 * place + 1) % (4 * size)  # whole numbers keep it exact
    matrix = (turn.to(like.dtype) * (math.pi / (2 * size))).cos() * math.sqrt(2 / size)
    return torch.where(place[:, None] == 0, math.sqrt(1 / size), matrix)


def _inverse_laplacian(down: int, across: int, like: Tensor) -> Tensor:
    """What each frequency of a surplus is to be multiplied by; the mean has none."""
    down_turn, across_turn = (
        torch.arange(size, device=like.device).to(like.dtype) * (math.pi / (2 * size))
        for size in (down, across)
    )
    value = down_turn.sin().square()[:, None] + across_turn.sin().square()
    return torch.where(value == 0, 0, -0.25 / value)
