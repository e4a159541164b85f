"""How often the jigsaw of the paper's public code shows the untouched image: once in 23 draws.

It cuts four tiles row by row and joins them column by column. The order it excludes is the one in
which they were cut, and that is not the one which gives the image back.
"""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from nda.negatives import Jigsaw

IMAGE = torch.arange(16.0).view(4, 4)
CUT = (0, 1, 2, 3)  # what the public code excludes


def published(image: Tensor, order: tuple[int, ...]) -> Tensor:
    """The image (H, W) with its four tiles in the order that was drawn."""
    tiles = [tile for row in image.chunk(2, dim=0) for tile in row.chunk(2, dim=1)]
    first, second, third, fourth = (tiles[index] for index in order)
    return torch.cat([torch.cat([first, second], dim=0), torch.cat([third, fourth], dim=0)], dim=1)


def test_one_of_the_orders_that_are_drawn_is_the_image() -> None:
    drawn = [order for order in permutations(range(4)) if order != CUT]
    untouched = [order for order in drawn if torch.equal(published(IMAGE, order), IMAGE)]
    assert len(drawn) == 23
    assert untouched == [(0, 2, 1, 3)]
    assert not torch.equal(published(IMAGE, CUT), IMAGE)  # a good negative, and never drawn


def test_ours_draws_all_23_that_are_not_the_image() -> None:
    images = IMAGE.expand(2000, 1, 4, 4)
    made = {tuple(each) for each in Jigsaw()(images).flatten(1).tolist()}
    every = {tuple(published(IMAGE, order).flatten().tolist()) for order in permutations(range(4))}
    assert made == every - {tuple(IMAGE.flatten().tolist())}
