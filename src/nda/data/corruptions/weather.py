"""Snow and fog. All lengths are pixels of a 32-pixel image."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.data.corruptions.blur import motion_blurred, zoom_matrix
from nda.data.corruptions.levels import normal, to_levels, to_unit, uniform

# Flakes: mean and spread of the noise, zoom, threshold, radius and sigma of their fall; last, the
# share of the image that stays as it is
SNOW = (
    (0.1, 0.2, 1.0, 0.6, 8.0, 3.0, 0.95),
    (0.1, 0.2, 1.0, 0.5, 10.0, 4.0, 0.9),
    (0.15, 0.3, 1.75, 0.55, 10.0, 4.0, 0.9),
    (0.25, 0.3, 2.25, 0.6, 12.0, 6.0, 0.85),
    (0.3, 0.3, 1.25, 0.65, 14.0, 12.0, 0.8),
)
FOG = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))  # density, smoothness


def snow(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """A whitened image under flakes falling within 45 degrees of the vertical.

    The layer of flakes is laid on twice, once turned upside down.
    """
    mean, spread, zoom, threshold, radius, sigma, kept = SNOW[severity - 1]
    N, _, H, W = images.shape
    layer = normal((N, 1, H, W), rng).mul_(spread).add_(mean)
    layer = zoom_matrix(H, zoom) @ layer @ zoom_matrix(W, zoom).mT
    layer[layer < threshold] = 0
    angles = uniform(-135, -45, (N,), rng)
    flakes = to_unit(motion_blurred(to_levels(layer), radius, sigma, angles))
    x = to_unit(images)
    grey = (x * _luma()).sum(1, keepdim=True)
    x = kept * x + (1 - kept) * torch.maximum(x, 1.5 * grey + 0.5)
    return to_levels(x + flakes + flakes.flip(2, 3))


def fog(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """A cloud added, and the sum drawn back to the brightest value the image had."""
    density, smoothness = FOG[severity - 1]
    x = to_unit(images)
    brightest = x.amax(dim=(1, 2, 3), keepdim=True)
    N, _, H, W = x.shape
    x = x + density * clouds(N, H, W, smoothness, rng)
    return to_levels(x * brightest / (brightest + density))


def clouds(N: int, H: int, W: int, smoothness: float, rng: torch.Generator) -> Tensor:
    """Fractal height maps `(N, 1, H, W)` by diamond and square, from 0 to 1 before the cut.

    A map is a torus with a power of two as side, the smallest that covers the image. Every
    halving of the step divides the width of the draws by `smoothness` squared.
    """
    side = 1 << (max(H, W) - 1).bit_length()
    height = torch.zeros(N, side, side, dtype=torch.float64)
    step, wobble = side, 100.0

    def about(corners: Tensor) -> Tensor:
        """The mean of four corners, given their sum, and a draw."""
        return corners / 4 + uniform(-(wobble**2), wobble**2, tuple(corners.shape), rng)

    while step >= 2:
        half = step // 2
        corners = height[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        height[:, half::step, half::step] = about(pairs + pairs.roll(-1, 2))
        middles = height[:, half::step, half::step]
        upright = middles + middles.roll(1, 1)
        height[:, ::step, half::step] = about(upright + corners + corners.roll(-1, 2))
        level = middles + middles.roll(1, 2)
        height[:, half::step, ::step] = about(level + corners + corners.roll(-1, 1))
        step, wobble = half, wobble / smoothness
    low, high = height.aminmax(dim=2)
    low, high = low.amin(1)[:, None, None], high.amax(1)[:, None, None]
    return ((height - low) / (high - low))[:, None, :H, :W]


def _luma() -> Tensor:
    return torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(3, 1, 1)
