"""Pictures of boxes: where the lines are, in which colour, and that odd boxes do no harm."""

from __future__ import annotations

import torch
from PIL import ImageColor

from nda.evaluation.boxes.metrics import Found, Truth
from nda.report.pictures.boxes import CELL, FOUND, TRUE, BoxedPicture, draw_boxes


def picture(found: list[list[float]], true: list[list[float]]) -> BoxedPicture:
    """A black image, 100 high and 150 wide, so that a pixel is drawn as 2 x 2."""
    return BoxedPicture(
        torch.zeros(3, 100, 150, dtype=torch.uint8),
        Truth(torch.tensor(true).reshape(-1, 4), torch.zeros(len(true), dtype=torch.int64),
              torch.zeros(len(true), dtype=torch.bool)),
        Found(torch.tensor(found).reshape(-1, 4), torch.ones(len(found), dtype=torch.int64),
              torch.full((len(found),), 0.5)),
    )  # fmt: skip


def test_lines_lie_at_the_edges_of_the_boxes_in_their_colours() -> None:
    sheet = draw_boxes([picture([[80, 20, 140, 90]], [[10, 20, 60, 90]])], ["cat", "dog"])
    left, top = (sheet.width - CELL) // 2, sheet.height - 200 - 4
    for colour, corner in ((TRUE, (10, 20)), (FOUND, (80, 20))):
        x, y = left + 2 * corner[0], top + 2 * corner[1] + 60
        assert sheet.getpixel((x, y)) == ImageColor.getrgb(colour)
        assert sheet.getpixel((x - 2, y)) == (0, 0, 0)
        assert sheet.getpixel((x + 6, y)) == (0, 0, 0)
    assert TRUE != FOUND


def test_a_grid_has_a_row_for_every_four_pictures() -> None:
    one = draw_boxes([picture([], [])], ["cat", "dog"])
    five = draw_boxes([picture([], [])] * 5, ["cat", "dog"])
    assert five.width > 4 * CELL
    assert five.height == one.height + 200 + 4


def test_boxes_without_width_and_at_the_edge_are_drawn() -> None:
    odd: list[list[float]] = [[0, 0, 0.1, 100], [149.9, 99.9, 150, 100], [0, 0, 150, 100]]
    names = ["cat", "a class with a very long name indeed, longer than the picture"]
    assert draw_boxes([picture(odd, odd)], names).width == CELL + 8
