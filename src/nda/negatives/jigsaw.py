"""Jigsaw: the tiles of an image in another order (Sinha et al., ICLR 2021, appendix B)."""

from __future__ import annotations

import math
from itertools import permutations

import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives.base import Negative, Params, draw_device, to_device_like
from nda.negatives.feather import feather_grid_
from nda.negatives.seams import check_seam, described_seam, seams

_LARGEST_RANKED = 20  # 20! is the last factorial an int64 holds


class Jigsaw(Negative):
    """Cut each image into grid × grid tiles and lay them in an order other than the original.

    Every one of the (grid²)! - 1 other orders is equally likely, for each sample by itself. The
    paper found a grid of 2 to work best.

    `seam` is `hard`, as published, or `feather`: blurred by a triangular kernel within `width`
    pixels of every cut.

    `draw` yields `permutation` `(B, grid²)` int64: tile k of the result, counted row by row, is
    tile `permutation[b, k]` of the image.

    Raises:
        ConfigError: where `grid` is less than 2, `width` less than 1 or `seam` another word.
        ShapeError: where height or width is not a multiple of `grid`.
    """

    orders: Tensor

    def __init__(self, grid: int = 2, *, seam: str = "hard", width: int = 3) -> None:
        super().__init__()
        if not isinstance(grid, int) or grid < 2:
            raise ConfigError(f"jigsaw was given grid={grid}; expected a whole number from 2 on")
        check_seam("jigsaw", seam, width, ("hard", "feather"))
        self.grid = grid
        self.seam = seam
        self.width = width
        # For the usual grid all 23 other orders fit a table, which is quicker than unranking.
        few = list(permutations(range(grid**2)))[1:] if grid == 2 else []
        self.register_buffer("orders", torch.tensor(few), persistent=False)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        B, n, device = x.shape[0], self.grid**2, draw_device(x, generator)
        if self.grid == 2:
            row = torch.randint(len(self.orders), (B,), generator=generator, device=device)
            return {"permutation": to_device_like(self.orders, x)[to_device_like(row, x)]}
        return {"permutation": to_device_like(draw_orders(B, n, device, generator), x)}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        itself = torch.arange(x.shape[0], device=x.device)[:, None]
        return self._soften_(rearrange_tiles(x, itself, params["permutation"], self.grid))

    def null(self, x: Tensor, params: Params) -> Tensor:
        """The image as it is, but for the same blur at the same seams."""
        return self._soften_(super().null(x, params))

    def _soften_(self, x: Tensor) -> Tensor:
        if self.seam == "hard":
            return x
        return feather_grid_(x, self.grid, self.width)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 along the seams, on both sides: where neighbours were none before.

        A hard seam is shown a 32nd of the side wide. Feathering blurs every cut, also one across
        which neighbours stayed what they were, so there all cuts are shown, as wide as the blur.
        """
        tile = params["permutation"].view(-1, self.grid, self.grid)
        beside = tile[:, :, 1:] - tile[:, :, :-1] != 1
        beside |= tile[:, :, :-1] % self.grid == self.grid - 1  # the next one began a new row
        below = tile[:, 1:] - tile[:, :-1] != self.grid
        if self.seam == "feather":
            return seams(x, torch.ones_like(beside), torch.ones_like(below), self.width)
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
        return f"grid={self.grid}{described_seam(self.seam, self.width)}"


def draw_orders(
    count: int, n: int, device: torch.device, generator: torch.Generator | None
) -> Tensor:
    """Orders of n things `(count, n)`, each uniform among all but the original one."""
    if n <= _LARGEST_RANKED:  # rank 0 is the original order
        ranks = torch.randint(1, math.factorial(n), (count,), generator=generator, device=device)
        return unrank_orders(ranks, n)
    order = torch.rand(count, n, generator=generator, device=device).argsort(dim=1)
    # One chance in n!, less than 1e-25 here: a swap of the first two mends it without a branch.
    original = (order == torch.arange(n, device=device)).all(dim=1, keepdim=True)
    return torch.where(original, order.roll(1, dims=1), order)


def unrank_orders(ranks: Tensor, n: int) -> Tensor:
    """The orders of n things with these ranks in lexicographic order (Lehmer code): (B, n)."""
    columns: list[Tensor] = []
    # From the last thing to the first: the i-th takes place d among those after it, which move up.
    for i in reversed(range(n)):
        digit = ranks // math.factorial(n - 1 - i) % (n - i)
        columns = [digit, *(later + (later >= digit) for later in columns)]
    return torch.stack(columns, dim=1)


def rearrange_tiles(x: Tensor, image: Tensor, tile: Tensor, grid: int) -> Tensor:
    """Lay tile `tile[b, k]` of sample `image[b, k]` at place k of sample b; both `(B, grid²)`.

    Each row of a tile is one run of neighbouring pixels, so a single gather of runs does it.
    """
    B, H, W = x.shape[0], x.shape[-2], x.shape[-1]
    P = x.shape[1:-2].numel()  # planes: channels, or frames × channels
    h, w = H // grid, W // grid
    runs = x.reshape(B * P * H * grid, w)
    # The gather is bound by memory, so its index is kept half as wide wherever that suffices.
    index_type = torch.int32 if len(runs) < 2**31 else torch.int64
    first = tile.add(tile // grid, alpha=(h - 1) * grid).add(image, alpha=P * H * grid)
    rows = torch.arange(0, h * grid, grid, dtype=index_type, device=x.device)
    planes = torch.arange(0, P * H * grid, H * grid, dtype=index_type, device=x.device)
    in_image = first.to(index_type).view(B, grid, 1, grid) + rows[:, None]
    index = in_image.view(B, 1, H * grid) + planes[:, None]
    return runs.index_select(0, index.flatten()).view(x.shape)
