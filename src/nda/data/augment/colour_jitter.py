"""Changes of colour of a whole batch, each image with a draw of its own.

torchvision draws one strength for a whole batch. Here every image has its own, as if the transforms
were called image by image, at the price of a few operations on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nda.errors import ShapeError

GREY = (0.2989, 0.587, 0.114)  # weights of red, green and blue, as torchvision
OPERATIONS = 4
MIDDLES = (1.0, 1.0, 1.0, 0.0)  # of what is drawn: factors, and a shift of the hue


@dataclass(frozen=True)
class Jitter:
    """What was drawn for a batch. `order` holds for all of it; all else is one value an image."""

    order: list[int]  # of brightness 0, contrast 1, saturation 2, hue 3
    strength: Tensor  # (4, B): factors, of the hue a shift in turns
    applied: Tensor  # bool (B,)
    grey: Tensor  # bool (B,)


def draw_jitter(
    batch: int,
    *,
    strength: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1),
    probability: float = 0.8,
    grey: float = 0.2,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Jitter:
    """Jitter of brightness, contrast, saturation and hue for a share of the images, grey for some.

    Factors lie in 1 ± strength, shifts of the hue in ± strength turns. The order of the four is
    drawn once for the batch: each image meets every order equally often.
    """
    where = torch.device(device) if generator is None else generator.device
    draws = torch.rand(OPERATIONS + 2, batch, generator=generator, device=where).to(device)
    order = torch.randperm(OPERATIONS, generator=_on_host(generator))
    return Jitter(
        order=order.tolist(),
        strength=torch.stack(
            [
                middle + (2 * drawn - 1) * width
                for middle, drawn, width in zip(MIDDLES, draws, strength, strict=False)
            ]
        ),
        applied=draws[OPERATIONS] < probability,
        grey=draws[OPERATIONS + 1] < grey,
    )


def jittered(x: Tensor, jitter: Jitter) -> Tensor:
    """Images floating `(B, 3, H, W)` in [0, 1] with their colours changed as drawn."""
    if x.dim() != 4 or x.shape[1] != 3 or not x.is_floating_point():
        raise ShapeError(
            f"Colours are changed in floating images (B, 3, H, W); got {x.dtype} of shape "
            f"{tuple(x.shape)}."
        )
    changed = x
    for operation in jitter.order:
        factor = jitter.strength[operation].view(-1, 1, 1, 1).to(x.dtype)
        if operation == 0:
            changed = (changed * factor).clamp(0, 1)
        elif operation == 1:
            changed = _blend(changed, grey_of(changed).mean(dim=(2, 3), keepdim=True), factor)
        elif operation == 2:
            changed = _blend(changed, grey_of(changed), factor)
        else:
            changed = shift_hue(changed, factor)
    x = torch.where(jitter.applied.view(-1, 1, 1, 1), changed, x)
    return torch.where(jitter.grey.view(-1, 1, 1, 1), grey_of(x), x)


def grey_of(x: Tensor) -> Tensor:
    """Luminance `(B, 1, H, W)` of images `(B, 3, H, W)`."""
    red, green, blue = x.split(1, dim=1)
    return GREY[0] * red + GREY[1] * green + GREY[2] * blue


def shift_hue(x: Tensor, turns: Tensor) -> Tensor:
    """Images `(B, 3, H, W)` in [0, 1] with their hue shifted by `turns` `(B, 1, 1, 1)`.

    The largest and the smallest channel of a pixel stay what they are; which channel has which
    value, and the third one's, follow from the hue: the model is HSV.
    """
    high, low = x.amax(1, True), x.amin(1, True)
    chroma = high - low
    red, green, blue = x.split(1, dim=1)
    unit = torch.where(chroma > 0, chroma, 1)
    sixths = torch.where(
        high == red,
        (green - blue) / unit,
        torch.where(high == green, (blue - red) / unit + 2, (red - green) / unit + 4),
    )
    shifted = sixths + 6 * turns
    k = torch.cat([shifted + start for start in (5, 3, 1)], dim=1).remainder(6)  # (B, 3, H, W)
    return high - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (factor * x + (1 - factor) * other).clamp(0, 1)


def _on_host(generator: torch.Generator | None) -> torch.Generator | None:
    """A generator on the host for a draw that the host must know, without waiting for a GPU."""
    if generator is None or generator.device.type == "cpu":
        return generator
    drawn = 0x9E3779B97F4A7C15 * generator.get_offset()  # differs from call to call
    return torch.Generator().manual_seed((generator.initial_seed() ^ drawn) % 2**63)
