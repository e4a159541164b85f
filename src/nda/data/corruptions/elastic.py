"""Elastic transform: a random affine map, then a random smooth shift of every pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.data.corruptions.levels import to_levels, to_unit, uniform
from nda.extras import needed

with needed("Corruptions need SciPy", "train"):
    from scipy import ndimage

# Shares of the image's side: strength of the shifts, sigma of their smoothing, and how far the
# corners of the affine map move. The corners move less and less, the shifts grow finer.
ELASTIC_TRANSFORM = (
    (0.0, 0.0, 0.08),
    (0.05, 0.2, 0.07),
    (0.08, 0.06, 0.06),
    (0.1, 0.04, 0.05),
    (0.1, 0.03, 0.03),
)


def elastic_transform(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """An affine map, then shifts; bilinear, with the image mirrored beyond its border.

    Severity is of kind and not of amount: from 1 to 5 the affine map grows weaker and the local
    wobbling rougher, and the distance to the clean image falls.
    """
    N, _, H, W = images.shape
    strength, sigma, reach = (share * min(H, W) for share in ELASTIC_TRANSFORM[severity - 1])
    y, x = torch.meshgrid(
        torch.arange(H, dtype=torch.float64), torch.arange(W, dtype=torch.float64), indexing="ij"
    )
    ahead = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ _affine(N, H, W, reach, rng)
    moved = _sample(to_unit(images), ahead[..., 1], ahead[..., 0], about_pixel=True)
    shifts = uniform(-1, 1, (2, N, H, W), rng)
    smooth = ndimage.gaussian_filter(shifts.numpy(), sigma, mode="reflect", truncate=3, axes=(2, 3))
    right, down = torch.from_numpy(smooth).mul_(strength)
    return to_levels(_sample(moved, y + down, x + right, about_pixel=False))


def _affine(N: int, H: int, W: int, reach: float, rng: torch.Generator) -> Tensor:
    """Maps `(N, 1, 3, 2)` from (x, y, 1) in the outcome to (x, y) in the image.

    Three points around the middle come from as many that lie up to `reach` pixels off on either
    axis.
    """
    x, y, arm = W // 2, H // 2, min(H, W) // 3
    points = torch.tensor(
        [[x + arm, y + arm], [x + arm, y - arm], [x - arm, y - arm]], dtype=torch.float64
    )
    moved = points + uniform(-reach, reach, (N, 3, 2), rng)
    homogeneous = torch.cat([moved, torch.ones(N, 3, 1, dtype=torch.float64)], dim=2)
    return torch.linalg.solve(homogeneous, points.expand(N, 3, 2))[:, None]


def _sample(images: Tensor, y: Tensor, x: Tensor, *, about_pixel: bool) -> Tensor:
    """Bilinear values of `(N, C, H, W)` at row `y` and column `x` `(N, H, W)`.

    Beyond the border lies the mirror image, about the outermost pixel or about its outer edge.
    """
    N, C, H, W = images.shape
    planes = images.view(N, C, H * W)
    top, left = y.floor(), x.floor()
    out = torch.zeros_like(planes)
    for below in (0, 1):
        row = _mirrored(top.long() + below, H, about_pixel)
        down = (y - top) if below else (1 - y + top)
        for beside in (0, 1):
            column = _mirrored(left.long() + beside, W, about_pixel)
            weight = down * ((x - left) if beside else (1 - x + left))
            source = (row * W + column).view(N, 1, H * W).expand(N, C, H * W)
            out.addcmul_(planes.gather(2, source), weight.view(N, 1, H * W))
    return out.view(N, C, H, W)


def _mirrored(index: Tensor, side: int, about_pixel: bool) -> Tensor:
    """Any whole number as an index into a line of `side` pixels and its mirror images."""
    period = 2 * side - 2 if about_pixel else 2 * side
    folded = index.remainder(period)
    return torch.minimum(folded, period - folded - (0 if about_pixel else 1))
