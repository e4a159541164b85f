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
    to_device_like,
)
from nda.negatives.jigsaw import rearrange_tiles
from nda.negatives.seams import seams


class Stitch(Negative):
    """Keep the left or the upper half of each image and put another image's other half to it.

    Left or upper is an even chance for each sample; every sample serves exactly once as a partner
    and never as its own.

    `draw` yields `partner` `(B,)` int64 and `upright` `(B,)` bool: whether the seam is upright,
    with the image's own half on the left.

    Raises:
        ShapeError: for a batch of fewer than two, and where height or width is odd.
    """

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        partner = draw_partners(x, generator)
        device = draw_device(x, generator)
        coin = torch.randint(2, (x.shape[0],), generator=generator, device=device)
        return {"partner": partner, "upright": to_device_like(coin == 1, x)}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        itself, partner = torch.arange(x.shape[0], device=x.device), params["partner"]
        upper_right = torch.where(params["upright"], partner, itself)
        lower_left = torch.where(params["upright"], itself, partner)
        image = torch.stack([itself, upper_right, lower_left, partner], dim=1)  # (B, 4)
        return rearrange_tiles(x, image, torch.arange(4, device=x.device), grid=2)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 along the seam, on both sides."""
        upright = params["upright"][:, None]
        return seams(x, upright.expand(-1, 2)[..., None], ~upright.expand(-1, 2)[:, None])

    def check(self, x: Tensor) -> None:
        super().check(x)
        check_partners(x, "stitch")
        H, W = x.shape[-2:]
        if H % 2 or W % 2:
            raise ShapeError(
                f"stitch cannot halve images of {H} x {W} (height x width); "
                "crop or resize them to even sizes"
            )
