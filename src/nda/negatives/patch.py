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
    params_of_samples,
    to_device_like,
)
from nda.negatives.feather import feather, over_planes
from nda.negatives.pixels.layout import in_layout_of, samples
from nda.negatives.poisson import blend_patch
from nda.negatives.seams import Cut, breaks, draw_waves, near, places


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
        return {"box": to_device_like(draw_boxes(x, self.low, self.high, generator), x)}

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 inside the box."""
        down, across = box_sides(params["box"], x[..., :1, :, :].float())
        return (down * across).view(x.shape[0], 1, *x.shape[-2:])

    def extra_repr(self) -> str:
        return f"low={self.low:g}, high={self.high:g}"


class Cutout(Patch):
    """Fill a box of each image with the box's own mean, channel by channel (rounded for uint8).

    A clip's box lies at the same place in every frame and each frame has its own mean. Pixels
    are expected to be finite.

    Raises:
        ConfigError: unless 0 < low <= high < 1.
        ShapeError: where the smallest box would be a single pixel, which is its own mean.

    Examples:
        >>> images = torch.rand(4, 3, 32, 32)
        >>> cut = nda.Cutout()(images)
        >>> torch.allclose(cut.mean((2, 3)), images.mean((2, 3)))  # the box keeps its mean
        True
    """

    name = "cutout"
    alone = True

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        down, across = box_sides(params["box"], x)
        inside = down * across
        mean = box_mean(x, inside, params["box"])
        if x.is_floating_point():  # lerp with weights 0 and 1 is exact, where takes thrice as long
            return torch.lerp(x, mean, inside)
        return (mean - x).mul_(inside).add_(x)  # exact too, as uint8 counts modulo 256

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

    Every sample serves exactly once as a partner and never as its own. Pixels are expected to be
    finite.

    `seam` and `width` are those of `Jigsaw`: hard, feathered, or blended in the gradient domain,
    which spreads a difference of brightness over the whole image. `edge="wavy"` lets the sides of
    the box stray by up to a 16th of the image's.

    `draw` yields `partner` `(B,)` int64 beside `box`, and `waves` `(B, 2, 4)` float32 if wavy.

    Raises:
        ConfigError: unless 0 < low <= high < 1, `width` is at least 1 and the words are known.
        ShapeError: for a batch of fewer than two.

    Examples:
        >>> images = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
        >>> mixed = nda.CutMix(low=0.4, high=0.5)(images)
        >>> bool(0.1 < mixed[0].mean() < 0.3)  # a box of the white image in the black one
        True
    """

    name = "cutmix"

    def __init__(
        self,
        low: float = 1 / 3,
        high: float = 1 / 2,
        *,
        seam: str = "hard",
        width: int = 3,
        edge: str = "straight",
    ) -> None:
        super().__init__(low, high)
        self.cut = Cut("cutmix", seam, width, edge=edge)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        params = {**super().draw(x, generator), "partner": draw_partners(x, generator)}
        if self.cut.edge == "wavy":
            params["waves"] = draw_waves(x, generator)
        return params

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        return self._mixed(x, samples(x, params["partner"]), params)

    def replay_of(self, x: Tensor, chosen: Tensor, params: Params) -> Tensor:
        params = params_of_samples(chosen, params)
        return self._mixed(samples(x, chosen), samples(x, params["partner"]), params)

    def _mixed(self, x: Tensor, partner: Tensor, params: Params) -> Tensor:
        """`x` with the boxes of `partner`, which is overwritten."""
        if self.cut.seam == "poisson":
            return in_layout_of(x, blend_patch(x, partner, self._inside(x, params)))
        if self.cut.edge == "wavy":
            inside = over_planes(self._inside(x, params), x)
            return self._soften(torch.where(inside, partner, x), params)
        down, across = box_sides(params["box"], x)
        outside = torch.maximum(1 - down, 1 - across)
        if x.is_floating_point():  # exact and quick, as in Cutout
            return self._soften(partner.lerp_(x, outside), params)
        return self._soften((x - partner).mul_(outside).add_(partner), params)

    def null(self, x: Tensor, params: Params) -> Tensor:
        """The box filled with the image's own pixels: as it is, but for the same blur."""
        return self._soften(super().null(x, params), params)

    def _soften(self, x: Tensor, params: Params) -> Tensor:
        if self.cut.seam != "feather":
            return x
        edges = near(*breaks(self._inside(x, params)), self.cut.width)
        return feather(x, edges, self.cut.width)

    def _inside(self, x: Tensor, params: Params) -> Tensor:
        """Whether a pixel is the partner's, `(B, H, W)`."""
        shortest = min(side_range(size, self.low, self.high)[0] for size in x.shape[-2:])
        row, column = places(x, params.get("waves"), shortest)
        top, left, height, width = params["box"][:, :, None, None].unbind(1)
        within = (row >= top) & (row < top + height)
        return within & (column >= left) & (column < left + width)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 inside the box, and where its edge is blurred."""
        if self.cut.seam == "hard" and self.cut.edge == "straight":
            return super().mask(x, params)
        inside = self._inside(x, params)
        if self.cut.seam != "feather":
            return inside.float()[:, None]
        return torch.maximum(inside.float()[:, None], near(*breaks(inside), self.cut.width))

    def check(self, x: Tensor) -> None:
        super().check(x)
        check_partners(x, "cutmix")

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}{self.cut}"


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


def box_sides(box: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """1 along the boxes' height and width, 0 elsewhere, in the dtype of `x`.

    Shaped to broadcast over `x`, as `(B, 1, H, 1)` and `(B, 1, 1, W)`: their product is the box.
    """
    H, W = x.shape[-2:]
    start, length = box.view(-1, 2, 2, 1).float().unbind(1)  # each (B, 2, 1): down, across
    doubled = torch.arange(1.0, 2 * max(H, W), 2, device=x.device)  # twice the pixels' centres
    # Twice the depth inside: 1 or more for the box's own pixels, -1 or less for all others.
    depth = length - (doubled - start.mul(2).add_(length)).abs_()
    within = depth.clamp_(0, 1).to(x.dtype)
    ones = [1] * (x.dim() - 3)
    down, across = within[:, 0, :H], within[:, 1, :W]
    return down.reshape(-1, *ones, H, 1), across.reshape(-1, *ones, 1, W)


def box_mean(x: Tensor, inside: Tensor, box: Tensor) -> Tensor:
    """Mean of every plane of `x` inside the boxes, `(B, ..., 1, 1)`, in the dtype of `x`."""
    exact = torch.promote_types(x.dtype, torch.float32)
    # In one order in every layout: (B, P, H * W).
    planes = x.contiguous().view(x.shape[0], -1, x.shape[-2] * x.shape[-1]).to(exact)
    weight = inside.view(x.shape[0], 1, -1).to(exact)  # (B, 1, H * W)
    with torch.autocast(x.device.type, enabled=False):  # which would take the sum in half precision
        total = torch.bmm(weight, planes.mT)  # (B, 1, P): on the CPU the quicker way round
    mean = total / (box[:, 2] * box[:, 3]).view(-1, 1, 1)
    if not x.is_floating_point():
        mean = mean.round()
    return mean.view(*x.shape[:-2], 1, 1).to(x.dtype)
