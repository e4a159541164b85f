"""Frost, with a texture made here in place of the original's photographs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nda.data.corruptions.levels import normal

FROST = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))  # image, frost


@dataclass(frozen=True)
class Ice:
    """One kind of frost, by the statistics of a photograph of it.

    Args:
        colour: mean of red, green and blue, in levels of 0..255.
        swing: by how many levels each changes with one standard deviation of the texture.
        tint: the same for a second, independent texture of soft patches.
        drift: standard deviation of the mean level from one image to the next.
        coarse: share of the texture's variance in soft patches, the rest is in needles.
    """

    colour: tuple[float, float, float]
    swing: tuple[float, float, float]
    tint: tuple[float, float, float]
    drift: float
    coarse: float


# Four photographs, of which the original holds the second twice; each time one of five is drawn.
TEAL = Ice((68, 143, 161), (15, 11, 9), (-10, 4, 8), 6, 0.3)
WHITE = Ice((204, 209, 219), (-16, -16, -16), (0, 0, 0), 6, 0.15)
STEEL = Ice((142, 158, 171), (27, 27, 28), (0, 0, 0), 11, 0.08)
DARK = Ice((102, 113, 125), (33, 33, 32), (0, 0, 0), 15, 0.2)
KINDS = (TEAL, WHITE, WHITE, STEEL, DARK)

NEEDLE = (1.2, 0.2)  # half length and half width of an ice needle, in pixels
DIRECTIONS = 4  # in which needles lie
PATCH_SLOPE = 3.0  # power of the soft patches falls with this power of the frequency


def frost(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """A weighted sum of the image and frost, cut at white.

    **A stand-in.** CIFAR-10-C adds pieces of five photographs of frost, made smaller by 5, which
    are not distributed here. The texture is drawn instead: soft patches and ice needles, with the
    photographs' mean colours, spreads and rough spectra. The weights are the original's.
    As there, the distance to the clean image does not grow beyond severity 3.
    """
    kept, added = FROST[severity - 1]
    N, _, H, W = images.shape
    ice = draw_frost(N, H, W, rng)
    return (kept * images.double() + added * ice).clamp_(0, 255).to(torch.uint8)


def draw_frost(N: int, H: int, W: int, rng: torch.Generator) -> Tensor:
    """Frost of one kind an image, float64 `(N, 3, H, W)` in levels of 0..255."""
    table = torch.tensor(
        [[*kind.colour, *kind.swing, *kind.tint, kind.drift, kind.coarse] for kind in KINDS],
        dtype=torch.float64,
    )
    device = rng.device
    drawn = torch.randint(len(KINDS), (N,), generator=rng, device=device).cpu()
    colour, swing, tint, drift, coarse = table[drawn, :, None, None].split((3, 3, 3, 1, 1), dim=1)
    patches = _filtered(normal((N, 2, H, W), rng), _patch_filter(H, W))
    needles = _needles(normal((N, DIRECTIONS, H, W), rng))
    texture = coarse.sqrt() * patches[:, :1] + (1 - coarse).sqrt() * needles
    level = drift * normal((N, 1, 1, 1), rng)
    return (colour + level + swing * texture + tint * patches[:, 1:]).clamp_(0, 255)


def _needles(noise: Tensor) -> Tensor:
    """Bright short strokes: of noise smeared along several directions the largest everywhere."""
    H, W = noise.shape[-2:]
    y, x = _frequencies(H, W)
    along, across = NEEDLE
    filters = []
    for direction in range(noise.shape[1]):
        angle = math.pi * (direction + 0.5) / noise.shape[1]  # none along the rows of pixels
        u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        gauss = torch.exp(-2 * math.pi**2 * ((along * u) ** 2 + (across * v) ** 2))
        filters.append(gauss / gauss.square().mean().sqrt())
    strokes = _filtered(noise, torch.stack(filters)).amax(1, keepdim=True)
    # Mean and spread of the largest of four independent normal draws.
    return (strokes - 1.03) / 0.70


def _patch_filter(H: int, W: int) -> Tensor:
    """Amplitudes that fall with the frequency, of mean power 1, without the mean itself."""
    y, x = _frequencies(H, W)
    power = (y.square() + x.square()).pow(-PATCH_SLOPE / 2)
    power[0, 0] = 0
    return (power / power.mean()).sqrt()


def _frequencies(H: int, W: int) -> tuple[Tensor, Tensor]:
    y, x = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (H, W))
    return y[:, None], x[None, :]


def _filtered(noise: Tensor, response: Tensor) -> Tensor:
    return torch.fft.ifft2(torch.fft.fft2(noise) * response).real
