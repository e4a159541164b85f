"""Blurring what lies about a cut, by a triangular kernel in both directions.

Along a fixed grid of cuts only strips are computed, as products with banded matrices; a cut that
lies elsewhere in each sample is picked by its mask from a blur of the whole image.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def feather_grid_(
    x: Tensor, grid: int, width: int, only: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Blur `x` in place within `width` pixels of the cuts of a grid.

    `only` is of which samples, `(B,)` bool: about their level and about their upright cuts.
    """
    H, W = x.shape[-2:]
    exact = torch.promote_types(x.dtype, torch.float32)
    down = taps(H, width, x.device).to(exact)
    across = down if H == W else taps(W, width, x.device).to(exact)
    strips = [(-2, cut) for cut in range(H // grid, H, H // grid)]
    strips += [(-1, cut) for cut in range(W // grid, W, W // grid)]
    soft = []  # all of them before any is written
    for dim, cut in strips:
        if dim == -2:
            soft.append(blurred_rows(x, down, across, width, cut))
        else:
            soft.append(blurred_rows(x.mT, across, down, width, cut).mT)
    for (dim, cut), blur in zip(strips, soft, strict=True):
        strip = (dim, max(cut - width, 0), blur.shape[dim])
        part = x.narrow(*strip)
        mixed = blur if only is None else masked(part, blur, only[0 if dim == -2 else 1].float())
        part.copy_(mixed if x.is_floating_point() else mixed.round_())
    return x


def feather(x: Tensor, mask: Tensor, width: int) -> Tensor:
    """`x` blurred where `mask` `(B, 1, H, W)` is 1."""
    mixed = masked(x, blurred(x, width), mask)
    return (mixed if x.is_floating_point() else mixed.round_()).to(x.dtype)


def masked(x: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """`other` where `mask` `(B, 1, H, W)` or `(B,)` is 1, else `x`, in the dtype of `other`."""
    # Thrice as quick as where.
    return x.to(other.dtype).lerp(other, over_planes(mask, x).to(other.dtype))


def over_planes(mask: Tensor, x: Tensor) -> Tensor:
    """View a value a pixel, `(B, H, W)` or `(B, 1, H, W)`, so that it broadcasts over `x`.

    Or a value a sample, `(B,)`.
    """
    size = mask.shape[-2:] if mask.dim() > 1 else (1, 1)
    return mask.view(x.shape[0], *[1] * (x.dim() - 3), *size)


def blurred(x: Tensor, width: int) -> Tensor:
    """`x` under the kernel of 2 × `width` + 1 taps, in float32 or better; the borders reflect."""
    exact = bordered(x.to(torch.promote_types(x.dtype, torch.float32)), width)
    for dim in (-2, -1):
        for _ in range(2):  # two boxes one after the other are a triangle
            exact = box_sum(exact, dim, width + 1)
    return exact.div_((width + 1) ** 4)


def bordered(x: Tensor, width: int) -> Tensor:
    """`x` and on every side `width` pixels more, reflected."""
    H, W = x.shape[-2:]
    if width < min(H, W):  # what torch reflects; several times as quick as picking columns
        planes = functional.pad(x.reshape(-1, 1, H, W), [width] * 4, mode="reflect")
        return planes.view(*x.shape[:-2], H + 2 * width, W + 2 * width)
    for dim, size in ((-2, H), (-1, W)):
        place = torch.arange(-width, size + width, device=x.device)
        x = x.index_select(dim, reflected(place, size))
    return x


def box_sum(x: Tensor, dim: int, count: int) -> Tensor:
    """Sums of `count` neighbours along `dim`, which becomes `count - 1` shorter."""
    if count == 1:
        return x
    half = count // 2
    part = box_sum(x, dim, half)
    length = x.shape[dim] - count + 1
    total = part.narrow(dim, 0, length) + part.narrow(dim, half, length)
    return total + x.narrow(dim, count - 1, length) if count % 2 else total


def blurred_rows(x: Tensor, down: Tensor, across: Tensor, width: int, cut: int) -> Tensor:
    """The rows of what `blurred` makes of `x` that lie within `width` of a cut above row `cut`.

    `down` and `across` are the `taps` of height and width.
    """
    H, W = x.shape[-2:]
    start, stop = max(cut - width, 0), min(cut + width, H)
    first, last = max(start - width, 0), min(stop + width, H)
    rows = x[..., first:last, :].to(down.dtype).reshape(-1, last - first, W)
    with torch.autocast(x.device.type, enabled=False):
        part = torch.matmul(down[start:stop, first:last], rows)
        soft = torch.matmul(part.view(-1, W), across.mT)
    return soft.view(*x.shape[:-2], stop - start, W)


def taps(size: int, width: int, device: torch.device) -> Tensor:
    """The blur along a side of `size` pixels as a banded matrix."""
    offset = torch.arange(-width, width + 1, device=device)
    place = torch.arange(size, device=device)[:, None] + offset
    weight = (width + 1 - offset.abs()) / (width + 1) ** 2
    matrix = torch.zeros(size, size, device=device)
    return matrix.scatter_add_(1, reflected(place, size), weight.expand_as(place))


def reflected(position: Tensor, size: int) -> Tensor:
    """Fold any positions into 0 to `size - 1`, as between two mirrors on the border pixels."""
    period = max(1, 2 * (size - 1))
    position = position % period
    return torch.minimum(position, period - position)
