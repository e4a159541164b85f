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


def _corrected(hard: Tensor, down: Tensor, across: Tensor, x: Tensor) -> Tensor:
    """`hard` with its differences changed, within its own range, in the dtype of `x`."""
    image = (-3, -2, -1)  # a frame has its own
    lowest, highest = hard.amin(dim=image, keepdim=True), hard.amax(dim=image, keepdim=True)
    result = (hard + potential(down, across)).clamp(lowest, highest)
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
        # Always from the right, which is one large product instead of one a plane.
        spectrum = (surplus.reshape(-1, W) @ columns.mT).view(-1, H, W).mT
        spectrum = (spectrum.reshape(-1, H) @ rows.mT).view(-1, W, H)
        spectrum = spectrum * _inverse_laplacian(W, H, surplus)
        solved = (spectrum.view(-1, H) @ rows).view(-1, W, H).mT
        solved = solved.reshape(-1, W) @ columns
    return solved.view(surplus.shape)


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
