"""Spatter: drops of water (severities 1 to 3) or specks of mud (4 and 5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nda.data.corruptions.blur import gaussian_blurred
from nda.data.corruptions.edges import canny_edges, distance_to
from nda.data.corruptions.levels import normal, to_levels, to_unit

# Noise: mean, spread, sigma of its smoothing in pixels, threshold of a drop. Then the strength of
# the water, or the sigma of the mud's edge in pixels
SPATTER = (
    (0.62, 0.1, 0.7, 0.7, 0.5),
    (0.65, 0.1, 0.8, 0.7, 0.5),
    (0.65, 0.3, 1.0, 0.69, 0.5),
    (0.65, 0.1, 0.7, 0.69, 0.6),
    (0.65, 0.1, 0.5, 0.68, 0.6),
)
WATER = (175, 238, 238)  # pale turquoise
MUD = (63, 42, 20)  # brown
MUD_SEVERITY = 4  # from here on it is mud


def spatter(images: Tensor, severity: int, rng: torch.Generator) -> Tensor:
    """Liquid where smoothed noise passes a threshold: water adds its colour, mud covers.

    Mud at severity 4 lies farther from water than from no liquid at all: the distance to the
    clean image falls from 3 to 4.
    """
    mean, spread, sigma, threshold, edge = SPATTER[severity - 1]
    N, _, H, W = images.shape
    liquid = gaussian_blurred(normal((N, 1, H, W), rng).mul_(spread).add_(mean), sigma)
    x = to_unit(images)
    if severity < MUD_SEVERITY:
        liquid[liquid < threshold] = 0
        # As in the original, a thickness of 256 levels or more starts again at 0.
        thickness = liquid.mul_(255).long().remainder_(256).to(torch.uint8)
        return to_levels(x + edge * drops(thickness) * _colour(WATER))
    cover = gaussian_blurred((liquid > threshold).double(), edge)
    cover[cover < 0.8] = 0
    return to_levels(x * (1 - cover) + cover * _colour(MUD))


def drops(liquid: Tensor) -> Tensor:
    """How much light drops throw, in [0, 1], of the thickness of the liquid, uint8 `(N, 1, H, W)`.

    The distance to the drops' edges is made an even spread of levels, lit from one corner by a
    relief filter, and thickest where the liquid is.
    """
    away = distance_to(canny_edges(liquid, 50, 150)).clamp_(max=20)
    relief = equalised(_mean_of_nine(away).to(torch.uint8))
    light = torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])
    lit = F.conv2d(_mirror(relief.float()), light[None, None]).clamp_(0, 255)
    thickness = liquid * _mean_of_nine(lit).round_()
    return thickness.double() / thickness.amax(dim=(2, 3), keepdim=True).clamp_(min=1)


def equalised(levels: Tensor) -> Tensor:
    """Each image's histogram spread evenly over 0..255, as OpenCV does it; uint8 `(N, 1, H, W)`.

    The darkest level present becomes 0 and the others their share of all pixels brighter than it;
    an image of one level stays as it is.
    """
    N, pixels = len(levels), levels[0].numel()
    flat = levels.reshape(N, pixels).long()
    counts = torch.zeros(N, 256).scatter_add_(1, flat, torch.ones(1).expand(N, pixels))
    darkest = counts.gather(1, flat.amin(1, keepdim=True))  # (N, 1)
    table = (counts.cumsum(1) - darkest) * 255 / (pixels - darkest).clamp_(min=1)
    spread = table.round_().clamp_(0, 255).gather(1, flat)
    return torch.where(darkest == pixels, flat.float(), spread).to(torch.uint8).view_as(levels)


def _mean_of_nine(x: Tensor) -> Tensor:
    return F.avg_pool2d(_mirror(x), 3, stride=1)


def _mirror(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode="reflect")


def _colour(levels: tuple[int, int, int]) -> Tensor:
    return torch.tensor(levels, dtype=torch.float64).div_(255).view(3, 1, 1)
