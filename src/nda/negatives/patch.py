"""Cutout and CutMix: a box of each image overwritten (Sinha et al., ICLR 2021, appendix B)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives.base import (
    Negative,
    Params,
    check_partners,
    draw_device,
    draw_partners,
    onto,
)


class Patch(Negative):
    """What Cutout and CutMix share: the law of the box.

    Height and width are drawn independently for each sample, uniformly among the whole numbers
    between `low` and `high` times the image's own (never less than one pixel), and the place
    uniformly among all where the box fits.

    `draw` yields `box` `(B, 4)` int64: top, left, height, width.

    Raises:
        ConfigError: unless 0 < low <= high < 1.
    """

    name: str

    def __init__(self, low: float = 1 / 3, high: float = 1 / 2) -> None:
        super().__init__()
        if not 0 < low <= high < 1:
            raise ConfigError(
                f"{self.name} was given low={low:g}, high={high:g}; "
                "expected shares of the image's sides with 0 < low <= high < 1"
            )
        self.low = low
        self.high = high

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        return {"box": onto(draw_boxes(x, self.low, self.high, generator), x)}

    def extra_repr(self) -> str:
        return f"low={self.low:g}, high={self.high:g}"


class Cutout(Patch):
    """Fill a box of each image with the box's own mean, channel by channel (rounded for uint8).

    A clip's box lies at the same place in every frame and each frame has its own mean. Pixels
    are expected to be finite.

    Raises:
        ConfigError: unless 0 < low <= high < 1.
        ShapeError: where the smallest box would be a single pixel, which is its own mean.
    """

    name = "cutout"

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        inside = box_mask(params["box"], x)
        return overwrite(x, box_mean(x, inside, params["box"]), inside)

    def check(self, x: Tensor) -> None:
        super().check(x)
        H, W = x.shape[-2:]
        if side_range(H, self.low, self.high)[0] * side_range(W, self.low, self.high)[0] == 1:
            raise ShapeError(
                f"cutout with low={self.low:g} could draw a box of one pixel, its own mean, in "
                f"images of {H} x {W} (height x width); use larger images or raise low"
            )


class CutMix(Patch):
    """Fill a box of each image with another image's pixels at the same place.

    Every sample serves exactly once as a partner and never as its own. `draw` yields `partner`
    `(B,)` int64 beside `box`. Pixels are expected to be finite.

    Raises:
        ConfigError: unless 0 < low <= high < 1.
        ShapeError: for a batch of fewer than two.
    """

    name = "cutmix"

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        return {**super().draw(x, generator), "partner": draw_partners(x, generator)}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        partner = x.index_select(0, params["partner"])
        outside = 1 - box_mask(params["box"], x)
        if x.is_floating_point():
            return partner.lerp_(x, outside)
        return (x - partner).mul_(outside).add_(partner)

    def check(self, x: Tensor) -> None:
        super().check(x)
        check_partners(x, "cutmix")


def side_range(size: int, low: float, high: float) -> tuple[int, int]:
    """The shortest and longest side of a box, in pixels, along a side of `size` pixels."""
    slack = 1e-9  # 0.1 × 30 is a little more than 3 in floating point
    shortest = max(1, math.ceil(low * size - slack))
    return shortest, max(shortest, math.floor(high * size + slack))


def draw_boxes(x: Tensor, low: float, high: float, generator: torch.Generator | None) -> Tensor:
    """Boxes `(B, 4)`: top, left, height, width, on the generator's device."""
    B, device = x.shape[0], draw_device(x, generator)
    starts, lengths = [], []
    for size in x.shape[-2:]:
        shortest, longest = side_range(size, low, high)
        length = torch.randint(shortest, longest + 1, (B,), generator=generator, device=device)
        # The number of places differs by sample; a remainder of 2^31 is as good as uniform.
        place = torch.randint(2**31, (B,), generator=generator, device=device)
        starts.append(place % (size + 1 - length))
        lengths.append(length)
    return torch.stack(starts + lengths, dim=1)


def box_mask(box: Tensor, x: Tensor) -> Tensor:
    """1 inside the boxes, 0 outside, in the dtype of `x`: `(B, 1, H, W)`, for clips a 1 more."""
    B, H, W = x.shape[0], x.shape[-2], x.shape[-1]
    start, length = box.view(B, 2, 2, 1).unbind(1)  # each (B, 2, 1): down, across
    distance = torch.arange(max(H, W), device=x.device) - start
    within = ((distance >= 0) & (distance < length)).to(x.dtype)
    mask = within[:, 0, :H, None] * within[:, 1, None, :W]
    return mask.view(B, *[1] * (x.dim() - 3), H, W)


def overwrite(x: Tensor, filling: Tensor, inside: Tensor) -> Tensor:
    """`filling` where the mask is 1, `x` where it is 0, each exactly.

    On the CPU `torch.where` takes three times as long.
    """
    if x.is_floating_point():
        return torch.lerp(x, filling, inside)
    return (filling - x).mul_(inside).add_(x)  # exact, as uint8 counts modulo 256


def box_mean(x: Tensor, inside: Tensor, box: Tensor) -> Tensor:
    """Mean of every plane of `x` inside the boxes, `(B, ..., 1, 1)`, in the dtype of `x`."""
    exact = torch.promote_types(x.dtype, torch.float32)
    planes = x.reshape(x.shape[0], -1, x.shape[-2] * x.shape[-1]).to(exact)  # (B, P, H * W)
    weight = inside.view(x.shape[0], 1, -1).to(exact).transpose(1, 2)  # (B, H * W, 1)
    with torch.autocast(x.device.type, enabled=False):  # which would take the sum in half precision
        total = torch.bmm(planes, weight)
    mean = total / (box[:, 2] * box[:, 3]).view(-1, 1, 1)
    if not x.is_floating_point():
        mean = mean.round()
    return mean.view(*x.shape[:-2], 1, 1).to(x.dtype)
