"""Heat over images: transparent where all is normal, yellow to red where it is not."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.image_set import check_images

MILD, HOT = (255, 210, 60), (214, 30, 40)  # RGB at the two ends of the scale
_OPACITY = 0.7  # where it is hottest


def warmth(p_values: Tensor, false_alarm_rate: float) -> Tensor:
    """Heat in [0, 1] of p-values: 1 at the rate and below, 0 at ten times the rate and above.

    Logarithmic in between. On a normal image no place reaches 1, but at that rate. A rate above
    1/10 leaves less room: then 0 is at a p-value of 1.
    """
    room = min(1.0, -math.log10(false_alarm_rate))
    return (1 - torch.log10(p_values / false_alarm_rate) / room).clamp(0, 1)


def overlay(images: Tensor, heat: Tensor) -> Tensor:
    """Images uint8 `(N, 3, H, W)` under heat `(N, h, w)` in [0, 1]; uint8 of the same shape.

    Heat of another size is enlarged bilinearly.
    """
    check_images(images, "Images to lay heat over")
    size = list(images.shape[-2:])
    heat = heat[:, None].float()
    if list(heat.shape[-2:]) != size:
        heat = F.interpolate(heat, size, mode="bilinear", align_corners=False)
    mild, hot = (torch.tensor(colour).view(3, 1, 1).float() for colour in (MILD, HOT))
    colours = torch.lerp(mild, hot, heat)
    # Heat shows quickly, so that its edge is seen, and then deepens.
    blended = images.float().lerp(colours, _OPACITY * heat.sqrt())
    return blended.round().to(torch.uint8)
