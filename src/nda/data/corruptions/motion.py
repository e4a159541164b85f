"""ImageMagick's motion blur, which the original calls for motion blur and for falling snow."""

from __future__ import annotations

import math

import torch
from torch import Tensor

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
