"""A large picture judged by its tiles: the highest score, where it is, and one map of all.

Calibrated on the same maximum over the tiles of other pictures of the same size, a p-value holds
however many tiles there are. Where pictures are left out in turn, each tile is judged by the fit
that it surprises least, and the highest of these is no higher than the highest by any one fit: the
promise of `nda.evaluation.outliers.conformal` holds all the more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.images.tiles import GRID, Tiling
from nda.evaluation.outliers.detector import image_scores

AT_ONCE = 32  # tiles


@dataclass(frozen=True)
class LargeScore:
    """What the tiles of a picture say of it."""

    score: Tensor  # (), the highest of a tile
    hottest: Tensor  # (), the highest value of a tile's map
    heat: Tensor  # (h, w), the maps of all tiles, blended where they overlap
    place: tuple[int, int]  # x and y in pixels, of the hottest spot of the highest tile
    tile: int  # which is the highest


def judge_large(
    maps_of: Callable[[Tensor], Tensor],
    picture: Tensor,
    tiling: Tiling,
    pooling: str,
    at_once: int = AT_ONCE,
) -> LargeScore:
    """Judge a picture uint8 (3, height, width), in memory that grows by its map alone.

    `maps_of` gives the maps (T, h, w) of tiles uint8 (T, 3, side, side), on the CPU; `pooling` is
    how a tile's score follows from its map, max or mean.
    """
    seams, scores, spots = Seams(tiling), [], []
    numbers = torch.arange(len(tiling.corners), device="cpu")
    for some in numbers.split(at_once):
        maps = maps_of(tiling.cut(picture, some.tolist()))
        seams.add(maps, some.tolist())
        scores.append(image_scores(maps, pooling))
        spots.append(torch.stack([maps.flatten(1).amax(dim=1), maps.flatten(1).argmax(dim=1)]))
    found = torch.cat(scores)
    tile = int(found.argmax())
    hottest, spot = torch.cat(spots, dim=1)
    row, column = divmod(int(spot[tile]), maps.shape[-1])
    top, left = tiling.corners[tile]
    pixels = tiling.side / maps.shape[-1]
    place = int(left + (column + 0.5) * pixels), int(top + (row + 0.5) * pixels)
    return LargeScore(found[tile], hottest.max(), seams.blended(), place, tile)


class Seams:
    """Maps of tiles as one map, the mean of those that overlap, each weighed by its inside.

    A tile's weight falls to its edges over the pixels that it shares, so no edge is seen. Of finer
    maps a place takes the highest value, and coarser ones are enlarged bilinearly.
    """

    def __init__(self, tiling: Tiling) -> None:
        self.tiling = tiling
        self.total, self.weight = torch.zeros(2, *tiling.places, device="cpu")
        places = tiling.side // GRID
        inside = torch.arange(places, device="cpu") + 0.5
        inside = torch.minimum(inside, places - inside)
        line = (inside * GRID / max(GRID, tiling.overlap)).clamp(max=1)
        self.of_tile = line[:, None] * line

    def add(self, maps: Tensor, numbers: list[int]) -> None:
        """Take the maps (n, h, w) of the tiles of these numbers."""
        size = list(self.of_tile.shape)
        if maps.shape[-1] > size[0]:
            maps = F.adaptive_max_pool2d(maps, size)
        elif maps.shape[-1] < size[0]:
            maps = F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
        for heat, number in zip(maps, numbers, strict=True):
            place = self.tiling.places_of(number)
            self.total[place] += heat * self.of_tile
            self.weight[place] += self.of_tile

    def blended(self) -> Tensor:
        """The map (h, w) of the picture, all tiles being added."""
        return self.total / self.weight
