"""What all faults share: how strongly they show, and how an image is lit where they are."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives.base import Negative, draw_device

FAINTEST = 0.1  # strength: less would be lost in the rounding of 8 bits
SHORTEST = 4  # pixels of a side
COVERED = 1 / 8  # of a pixel: where a soft outline covers less, nothing is changed
_ROOM = 1 / 4  # of the range: nearer to its end than that, light goes the other way
_NEAREST = 1 / 8  # of the side: texture is taken from at least so far away

Uniform = Callable[..., Tensor]


class Fault(Negative):
    """A negative that looks like a fault of a surface or a part, and says where it is.

    `strength` scales how far it stands out: at 1 as far as drawn, at 0.1 by a tenth of that.
    Floating images are taken to lie in [-1, 1], and so do the results. Its null, where nothing
    else is said, is the image: a fault is all that was done.

    Raises:
        ConfigError: unless 0.1 <= strength <= 1.
        ShapeError: for images with a side of less than 4 pixels.
    """

    name: str
    alone = True

    def __init__(self, strength: float = 1.0) -> None:
        super().__init__()
        if not FAINTEST <= strength <= 1:
            raise ConfigError(
                f"{self.name} was given strength={strength:g}; "
                "expected a number from 0.1 (faint) to 1 (as drawn)"
            )
        self.strength = strength

    def check(self, x: Tensor) -> None:
        super().check(x)
        if min(x.shape[-2:]) < SHORTEST:
            raise ShapeError(
                f"{self.name} was given images of shape {tuple(x.shape)}, too small to have a "
                f"fault in; expected height and width of at least {SHORTEST}"
            )

    def extra_repr(self) -> str:
        return f"strength={self.strength:g}"


def draws(x: Tensor, generator: torch.Generator | None) -> Uniform:
    """`uniform(low, high, *shape)`: a value a sample, or a tensor, on the drawing device."""
    B, device = x.shape[0], draw_device(x, generator)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        share = torch.rand(B, *shape, generator=generator, device=device)
        return low + (high - low) * share

    return uniform


def log_uniform(uniform: Uniform, low: float, high: float, *shape: int) -> Tensor:
    return uniform(math.log(low), math.log(high), *shape).exp()


def draw_places(uniform: Uniform, x: Tensor) -> Tensor:
    """A pixel `(B, 2)` of each image, as whole numbers in float32: down, across."""
    H, W = x.shape[-2:]
    return torch.stack([(uniform(0, 1) * H).floor(), (uniform(0, 1) * W).floor()], dim=1)


def draw_shifts(uniform: Uniform, x: Tensor) -> Tensor:
    """How far away `(B, 2)` texture is taken from, in pixels: an eighth of the sides or more."""
    shifts = []
    for size in x.shape[-2:]:
        nearest = max(1, math.ceil(_NEAREST * size))
        shifts.append(nearest + (uniform(0, 1) * max(1, size - 2 * nearest + 1)).floor())
    return torch.stack(shifts, dim=1).long()


def draw_light(uniform: Uniform, low: float, high: float, bright: float) -> Tensor:
    """How far to move towards white (a share `bright` of the samples) or black (below 0)."""
    sign = torch.where(uniform(0, 1) < bright, 1.0, -1.0)
    return sign * uniform(low, high)


def exactly(x: Tensor) -> Tensor:
    """`x` in float32 or better."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def ends(x: Tensor) -> tuple[float, float]:
    """What is black and white in images such as `x`."""
    return (-1.0, 1.0) if x.is_floating_point() else (0.0, 255.0)


def grey(x: Tensor) -> Tensor:
    """Whether the channels of a sample are all alike: bool, shaped to broadcast over `x`."""
    alike = (x == x[..., :1, :, :]).flatten(1).all(dim=1)
    return alike.view(-1, *[1] * (x.dim() - 1))


def like(image: Tensor, x: Tensor) -> Tensor:
    """`image`, computed in float32 or better, in the dtype of `x`; rounded for uint8."""
    return (image if x.is_floating_point() else image.round()).to(x.dtype)


def relit(image: Tensor, amount: Tensor, light: Tensor, x: Tensor) -> Tensor:
    """`image` moved by `amount * |light|` of the way to black (`light` below 0) or to white.

    `amount` broadcasts over `image`, `light` is `(B,)`. Where what lies under it is already within
    a quarter of the range of that end, it is moved to the other one: a mark shows on any ground.
    The dtype of `x` says what the range is.
    """
    black, white = ends(x)
    planes = (-3, -2, -1)
    weight = amount.expand_as(image)
    total = (image * weight).contiguous().sum(planes, keepdim=True)  # in one order in every layout
    mean = total / weight.contiguous().sum(planes, keepdim=True)
    place = (mean - black) / (white - black)
    light = light.view(-1, *[1] * (image.dim() - 1)).to(image.dtype)
    upwards = torch.where(light < 0, place < _ROOM, place <= 1 - _ROOM)
    end = torch.where(upwards, white, black).to(image.dtype)
    return image.lerp(end.expand_as(image), light.abs() * amount)


def covered(share: Tensor) -> Tensor:
    """What a soft outline covers of each pixel, without the faint rest that no one would see."""
    return torch.where(share < COVERED, 0, share.clamp(max=1))
