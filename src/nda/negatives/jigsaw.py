"""Jigsaw: the tiles of an image in another order (Sinha et al., ICLR 2021, appendix B)."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives.base import Negative, Params, draw_device, to_device_like
from nda.negatives.feather import feather, feather_grid_
from nda.negatives.orders import draw_band_orders, draw_orders
from nda.negatives.pieces import broken, displaced, draw_offset, move_pixels
from nda.negatives.pixels.layout import in_layout_of, is_channels_last
from nda.negatives.poisson import blend_pieces, blend_tiles
from nda.negatives.seams import Cut, draw_waves, near, seams


class Jigsaw(Negative):
    """Cut each image into grid × grid tiles and lay them in an order other than the original.

    Every one of the (grid²)! - 1 other orders is equally likely, for each sample by itself. The
    paper found a grid of 2 to work best.

    `seam="hard"` cuts as published. `"feather"` blurs by a triangular kernel within `width` pixels
    of the cuts. `"poisson"` lays the gradients of the tiles and solves for the image that has them,
    so brightness runs on across a cut; results stay within the range of the image.

    `offset="random"` moves all cuts of a sample by up to half a tile, down and across. The tiles
    are then unequal, and keep what they show: bands of tiles change their order, and tiles do
    within their band, in all (grid!)^(grid + 1) - 1 ways. `edge="wavy"` lets the cuts stray by up
    to a 16th of the side; what of a tile then lies beyond the border is reflected.

    `draw` yields `permutation` `(B, grid²)` int64: tile k of the result, counted row by row, is
    tile `permutation[b, k]` of the image; `offset` `(B, 2)` int64, in pixels, and `waves`
    `(B, 2, 4)` float32, phases, where these are asked for.

    Raises:
        ConfigError: where `grid` is less than 2, `width` less than 1 or another word is unknown.
        ShapeError: where height or width is not a multiple of `grid`.

    Examples:
        >>> images = torch.rand(8, 3, 32, 32)
        >>> jigsaw = nda.Jigsaw(grid=2)
        >>> params = jigsaw.draw(images)
        >>> broken = jigsaw.replay(images, params)  # jigsaw(images) does both
        >>> first = params["permutation"][0, 0]  # the tile that lies in the upper left of the first
        >>> down, right = 16 * (first // 2), 16 * (first % 2)
        >>> torch.equal(broken[0, :, :16, :16], images[0, :, down : down + 16, right : right + 16])
        True
    """

    orders: Tensor
    alone = True

    def __init__(
        self,
        grid: int = 2,
        *,
        seam: str = "hard",
        width: int = 3,
        offset: str = "fixed",
        edge: str = "straight",
    ) -> None:
        super().__init__()
        if not isinstance(grid, int) or grid < 2:
            raise ConfigError(f"jigsaw was given grid={grid}; expected a whole number from 2 on")
        self.grid = grid
        self.cut = Cut("jigsaw", seam, width, offset, edge)
        # For the usual grid all 23 other orders fit a table, which is quicker than unranking.
        few = list(permutations(range(grid**2)))[1:] if grid == 2 else []
        self.register_buffer("orders", torch.tensor(few), persistent=False)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        params = {"permutation": self._draw_permutation(x, generator)}
        if self.cut.offset == "random":
            params["offset"] = draw_offset(x, self.grid, generator)
        if self.cut.edge == "wavy":
            params["waves"] = draw_waves(x, generator)
        return params

    def _draw_permutation(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        B, n, device = x.shape[0], self.grid**2, draw_device(x, generator)
        if self.cut.offset == "random":
            return to_device_like(draw_band_orders(B, self.grid, device, generator), x)
        if self.grid == 2:
            row = torch.randint(len(self.orders), (B,), generator=generator, device=device)
            return to_device_like(self.orders, x)[to_device_like(row, x)]
        return to_device_like(draw_orders(B, n, device, generator), x)

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        if self._equal_tiles():
            itself, order = (
                torch.arange(x.shape[0], device=x.device)[:, None],
                params["permutation"],
            )
            hard = rearrange_tiles(x, itself, order, self.grid)
            if self.cut.seam == "poisson":
                return in_layout_of(x, blend_tiles(x, hard, order, self.grid))
            return self._soften_(hard, params)
        lay = partial(move_pixels, move=displaced(x, self.grid, params))
        if self.cut.seam == "poisson":
            return in_layout_of(x, blend_pieces(x, lay))
        return self._soften_(lay(x), params)

    def null(self, x: Tensor, params: Params) -> Tensor:
        """The image as it is, but for the same blur at the same cuts.

        Laid in order, the tiles' gradients are those of the image, so blending gives it back.
        """
        return self._soften_(super().null(x, params), params)

    def _soften_(self, x: Tensor, params: Params) -> Tensor:
        if self.cut.seam != "feather":
            return x
        if self._equal_tiles():
            return feather_grid_(x, self.grid, self.cut.width)
        return feather(x, self.mask(x, params), self.cut.width)

    def _equal_tiles(self) -> bool:
        return self.cut.offset == "fixed" and self.cut.edge == "straight"

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 along the seams, on both sides: where neighbours were none before.

        A seam is shown a 32nd of the side wide, or as wide as its blur. In a grid of equal tiles
        every cut is blurred, also where neighbours stayed what they were, and so shown.
        """
        feathered = self.cut.seam == "feather"
        if not self._equal_tiles():
            thin = max(1, min(x.shape[-2:]) // 32)
            breaks = broken(displaced(x, self.grid, params))
            return near(*breaks, self.cut.width if feathered else thin)
        tile = params["permutation"].view(-1, self.grid, self.grid)
        beside = tile[:, :, 1:] - tile[:, :, :-1] != 1
        beside |= tile[:, :, :-1] % self.grid == self.grid - 1  # the next one began a new row
        below = tile[:, 1:] - tile[:, :-1] != self.grid
        if feathered:
            return seams(x, torch.ones_like(beside), torch.ones_like(below), self.cut.width)
        return seams(x, beside, below)

    def check(self, x: Tensor) -> None:
        super().check(x)
        H, W = x.shape[-2:]
        if H % self.grid or W % self.grid:
            raise ShapeError(
                f"jigsaw cannot cut images of {H} x {W} (height x width) into a grid of "
                f"{self.grid} x {self.grid} equal tiles; crop or resize them to multiples of "
                f"{self.grid}, or choose another grid"
            )

    def extra_repr(self) -> str:
        return f"grid={self.grid}{self.cut}"


def rearrange_tiles(x: Tensor, image: Tensor, tile: Tensor, grid: int) -> Tensor:
    """Lay tile `tile[n, k]` of sample `image[n, k]` of `x` at place k of result n.

    Both are `(N, grid²)`, or broadcast to it. Each row of a tile is one run of neighbouring pixels,
    so a single gather of runs does it. In channels-last memory an image is one plane, and a row of
    it as wide as all its channels.
    """
    if is_channels_last(x):
        memory = x.movedim(-3, -1)
        made = rearrange_tiles(memory.flatten(-2), image, tile, grid)
        return made.view(-1, *memory.shape[1:]).movedim(-1, -3)
    B, H, W = x.shape[0], x.shape[-2], x.shape[-1]
    P = x.shape[1:-2].numel()  # planes: channels, or frames × channels
    h, w = H // grid, W // grid
    runs = x.reshape(B * P * H * grid, w)
    # The gather is bound by memory, so its index is kept half as wide wherever that suffices.
    index_type = torch.int32 if len(runs) < 2**31 else torch.int64
    first = tile.add(tile // grid, alpha=(h - 1) * grid).add(image, alpha=P * H * grid)
    rows = torch.arange(0, h * grid, grid, dtype=index_type, device=x.device)
    planes = torch.arange(0, P * H * grid, H * grid, dtype=index_type, device=x.device)
    in_image = first.to(index_type).view(-1, grid, 1, grid) + rows[:, None]
    index = in_image.view(-1, 1, H * grid) + planes[:, None]
    return runs.index_select(0, index.flatten()).view(-1, *x.shape[1:])
