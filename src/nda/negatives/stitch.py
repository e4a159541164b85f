"""Stitch: halves of two images side by side (Sinha et al., ICLR 2021, appendix B)."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.negatives.base import (
    Negative,
    Params,
    check_partners,
    draw_device,
    draw_partners,
    params_of_samples,
    to_device_like,
)
from nda.negatives.feather import feather, feather_grid_, over_planes
from nda.negatives.jigsaw import rearrange_tiles
from nda.negatives.pieces import draw_offset
from nda.negatives.pixels.layout import in_layout_of, samples
from nda.negatives.poisson import blend_halves, blend_patch
from nda.negatives.seams import Cut, breaks, draw_waves, near, places, seams


class Stitch(Negative):
    """Keep the left or the upper half of each image and put another image's other half to it.

    Left or upper is an even chance for each sample; every sample serves exactly once as a partner
    and never as its own.

    `seam` and `width` are those of `Jigsaw`: hard, feathered, or blended in the gradient domain.
    `offset="random"` moves the cut of each sample by up to a quarter of the side, `edge="wavy"`
    lets it stray by up to a 16th.

    `draw` yields `partner` `(B,)` int64 and `upright` `(B,)` bool: whether the seam is upright,
    with the image's own half on the left; `offset` `(B, 2)` int64, of a level and of an upright
    cut, and `waves` `(B, 2, 4)` float32 where these are asked for.

    Raises:
        ConfigError: where `width` is less than 1 or another word is unknown.
        ShapeError: for a batch of fewer than two, and where height or width is odd.

    Examples:
        >>> images = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
        >>> nda.Stitch()(images).mean((1, 2, 3))  # half of one, half of the other
        tensor([0.5000, 0.5000])
    """

    def __init__(
        self,
        *,
        seam: str = "hard",
        width: int = 3,
        offset: str = "fixed",
        edge: str = "straight",
    ) -> None:
        super().__init__()
        self.cut = Cut("stitch", seam, width, offset, edge)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        partner = draw_partners(x, generator)
        device = draw_device(x, generator)
        coin = torch.randint(2, (x.shape[0],), generator=generator, device=device)
        params = {"partner": partner, "upright": to_device_like(coin == 1, x)}
        if self.cut.offset == "random":
            params["offset"] = draw_offset(x, 2, generator)
        if self.cut.edge == "wavy":
            params["waves"] = draw_waves(x, generator)
        return params

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        if not self._halves():
            other, inside = samples(x, params["partner"]), self._others_half(x, params)
            if self.cut.seam == "poisson":
                return in_layout_of(x, blend_patch(x, other, inside))
            return self._soften_(torch.where(over_planes(inside, x), other, x), params)
        partner, upright = params["partner"], params["upright"]
        hard = stitched(x, torch.arange(x.shape[0], device=x.device), partner, upright)
        if self.cut.seam == "poisson":
            return in_layout_of(x, blend_halves(x, hard, partner, upright))
        return self._soften_(hard, params)

    def replay_of(self, x: Tensor, chosen: Tensor, params: Params) -> Tensor:
        if self.cut.seam == "poisson" or not self._halves():
            return super().replay_of(x, chosen, params)
        params = params_of_samples(chosen, params)
        hard = stitched(x, chosen, params["partner"], params["upright"])
        return self._soften_(hard, params)

    def null(self, x: Tensor, params: Params) -> Tensor:
        """The image with its own other half: as it is, but for the same blur at the cut."""
        return self._soften_(super().null(x, params), params)

    def _soften_(self, x: Tensor, params: Params) -> Tensor:
        if self.cut.seam != "feather":
            return x
        if self._halves():
            upright = params["upright"]
            return feather_grid_(x, 2, self.cut.width, (~upright, upright))
        return feather(x, self.mask(x, params), self.cut.width)

    def _halves(self) -> bool:
        return self.cut.offset == "fixed" and self.cut.edge == "straight"

    def _others_half(self, x: Tensor, params: Params) -> Tensor:
        """Whether a pixel is the partner's, `(B, H, W)`."""
        H, W = x.shape[-2:]
        offset = params.get("offset", torch.zeros(1, 2, dtype=torch.int64, device=x.device))
        row, column = places(x, params.get("waves"), min(H // 4, W // 4))
        level = row >= H // 2 + offset[:, 0, None, None]
        upright = column >= W // 2 + offset[:, 1, None, None]
        return torch.where(params["upright"][:, None, None], upright, level)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 along the seam, on both sides: a 32nd of the side wide, or as wide as its blur."""
        feathered = self.cut.seam == "feather"
        if not self._halves():
            thin = max(1, min(x.shape[-2:]) // 32)
            width = self.cut.width if feathered else thin
            return near(*breaks(self._others_half(x, params)), width)
        upright = params["upright"][:, None]
        sides = upright.expand(-1, 2)[..., None], ~upright.expand(-1, 2)[:, None]
        return seams(x, *sides, self.cut.width if feathered else None)

    def check(self, x: Tensor) -> None:
        super().check(x)
        check_partners(x, "stitch")
        H, W = x.shape[-2:]
        if H % 2 or W % 2:
            raise ShapeError(
                f"stitch cannot halve images of {H} x {W} (height x width); "
                "crop or resize them to even sizes"
            )

    def extra_repr(self) -> str:
        return str(self.cut).removeprefix(", ")


def stitched(x: Tensor, itself: Tensor, partner: Tensor, upright: Tensor) -> Tensor:
    """The left or upper halves of samples `itself` `(N,)`, the other halves of `partner` `(N,)`."""
    upper_right = torch.where(upright, partner, itself)
    lower_left = torch.where(upright, itself, partner)
    image = torch.stack([itself, upper_right, lower_left, partner], dim=1)  # (N, 4)
    return rearrange_tiles(x, image, torch.arange(4, device=x.device), grid=2)
