"""Defocus, glass, motion, zoom and Gaussian blur. All lengths are pixels of a 32-pixel image."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nda.data.corruptions.levels import to_levels, to_unit, uniform
from nda.extras import needed

with needed("Corruptions need SciPy", "train"):
    from scipy import ndimage

# radius of the disc, sigma of the blur that softens it
DEFOCUS_BLUR = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))

GLASS_BLUR = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))  # sigma, rounds of shuffling

MOTION_BLUR = ((6.0, 1.0), (6.0, 1.5), (6.0, 2.0), (8.0, 2.0), (9.0, 2.5))  # radius, sigma

ZOOM_BLUR = (1.06, 1.11, 1.16, 1.21, 1.26)  # the end of the factors, which start at 1

GAUSSIAN_BLUR = (0.4, 0.6, 0.7, 0.8, 1.0)  # sigma


def gaussian_blurred(x: Tensor, sigma: float) -> Tensor:
    """Float64 planes `(..., H, W)` under a normal curve cut at 4 sigma; the border goes on."""
    axes = (x.ndim - 2, x.ndim - 1)
    return torch.from_numpy(ndimage.gaussian_filter(x.numpy(), sigma, mode="nearest", axes=axes))


def gaussian_blur(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """A Gaussian filter; no draws."""
    return to_levels(gaussian_blurred(to_unit(images), GAUSSIAN_BLUR[severity - 1]))


def defocus_blur(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """The mean over a softened disc; no draws. Beyond the border the image is mirrored."""
    x = to_unit(images)
    H, W = x.shape[-2:]
    padded = F.pad(x, (2, 2, 2, 2), mode="reflect")
    out = torch.zeros_like(x)
    for down, line in enumerate(disc(*DEFOCUS_BLUR[severity - 1]).tolist()):
        for right, weight in enumerate(line):
            if weight:  # most are 0
                out.add_(padded[..., down : down + H, right : right + W], alpha=weight)
    return to_levels(out)


def disc(radius: float, softness: float) -> Tensor:
    """Weights `(5, 5)` of a disc of up to two pixels' radius under a 3 × 3 Gaussian of `softness`.

    A disc of less than one pixel is its middle alone: the softness is then all the blur there is.
    In single precision, as OpenCV has it: on even ground the sum of the weights decides the cut.
    """
    away = torch.arange(-2.0, 3.0)
    flat = (away[:, None] ** 2 + away**2 <= radius**2).float()
    tail = math.exp(-1 / (2 * softness**2))
    line = torch.tensor([tail / (1 + 2 * tail), 1 / (1 + 2 * tail), tail / (1 + 2 * tail)])
    return F.conv2d((flat / flat.sum())[None, None], line.outer(line)[None, None], padding=1)[0, 0]


def glass_blur(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Pixels moved by chance between two light Gaussian filters.

    The original's line means to swap a pixel with one a step up or left of it, but its two sides
    are views of one array: the pixel takes its neighbour's value and the neighbour keeps its own.
    CIFAR-10-C was made that way, and so is this. It goes from the last pixel to the first, so
    that every source is still untouched and a round may be done at once. The two uppermost rows
    and leftmost columns only give.
    """
    sigma, rounds = GLASS_BLUR[severity - 1]
    N, _, H, W = images.shape
    x = to_levels(gaussian_blurred(to_unit(images), sigma))
    for _ in range(rounds):
        size, device = (2, N, 1, H - 2, W - 2), rng.device
        up, left = torch.randint(2, size, generator=rng, device=device).bool().cpu()
        here, above = x[..., 2:, 2:], x[..., 1:-1, 2:]
        beside, across = x[..., 2:, 1:-1], x[..., 1:-1, 1:-1]
        moved = torch.where(up, torch.where(left, across, above), torch.where(left, beside, here))
        x = x.clone()
        x[..., 2:, 2:] = moved
    return to_levels(gaussian_blurred(to_unit(x), sigma))


def motion_blur(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """A smear along a direction within 45 degrees of the horizontal."""
    radius, sigma = MOTION_BLUR[severity - 1]
    return motion_blurred(images, radius, sigma, uniform(-45, 45, (len(images),), rng))


def zoom_blur(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """The mean of the image and of itself zoomed by 1.00, 1.01, ... up to the end; no draws."""
    # Rounding decides whether the end is one of them: at severities 1 and 2 it is.
    factors = np.arange(1, ZOOM_BLUR[severity - 1], 0.01)
    x = to_unit(images).float()
    total = x.clone()
    for factor in factors.tolist():
        down, across = (zoom_matrix(side, factor).float() for side in x.shape[-2:])
        total += down @ (x @ across.mT)
    return to_levels(total / (len(factors) + 1))


def zoom_matrix(side: int, factor: float) -> Tensor:
    """The map of a line of `side` pixels to itself that zooms in, float64 `(side, side)`.

    The middle ceil(side / factor) pixels are stretched by linear interpolation, the outermost
    onto the outermost, and the middle `side` of the outcome is kept. Zooming is linear and acts on
    rows and columns alike: an image x becomes M x Mᵀ.
    """
    kept = math.ceil(side / factor)
    start = (side - kept) // 2
    stretched = ndimage.zoom(np.eye(kept), (factor, 1), order=1)  # (about kept · factor, kept)
    trim = (len(stretched) - side) // 2
    matrix = torch.zeros(side, side, dtype=torch.float64)
    matrix[:, start : start + kept] = torch.from_numpy(stretched[trim : trim + side])
    return matrix


_NEGLIGIBLE = 1e-6  # all the weights dropped below it move no pixel by a hundredth of a level


def motion_blurred(images: Tensor, radius: float, sigma: float, degrees: Tensor) -> Tensor:
    """uint8 images `(N, C, H, W)` smeared along one direction each, cut to uint8.

    The kernel is one half of a normal curve of `sigma` pixels over 2 radius + 1 taps; tap i lies i
    pixels away at the angle `degrees` `(N,)`, clockwise from the right, at the nearest whole pixel.
    Beyond the border the outermost pixels go on.
    """
    N, C, H, W = images.shape
    radians = degrees.double() * (math.pi / 180)
    planes = images.reshape(N, C, H * W).float()
    out = torch.zeros_like(planes)
    for tap, weight in enumerate(_weights(radius, sigma)):
        if weight < _NEGLIGIBLE:
            break
        down = torch.ceil(tap * radians.sin() - 0.5).long()
        right = torch.ceil(tap * radians.cos() - 0.5).long()
        rows = (torch.arange(H) + down[:, None]).clamp_(0, H - 1)  # (N, H)
        columns = (torch.arange(W) + right[:, None]).clamp_(0, W - 1)  # (N, W)
        source = (rows[:, :, None] * W + columns[:, None, :]).view(N, 1, H * W)
        out.add_(planes.gather(2, source.expand(N, C, H * W)), alpha=weight)
    # ImageMagick rounds to 16 bits and then cuts to 8.
    return out.add_(0.5 / 257).clamp_(0, 255).to(torch.uint8).view(N, C, H, W)


def _weights(radius: float, sigma: float) -> list[float]:
    curve = [math.exp(-(tap**2) / (2 * sigma**2)) for tap in range(2 * math.ceil(radius) + 1)]
    return [value / sum(curve) for value in curve]
