"""Membranes against the linear equations that they solve, and patches against the formula."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.negatives import Missing, Paste
from nda.negatives.faults.membrane import sampled
from tests.negatives.test_contract import random_batch, seeded


def solved(image: Tensor, box: list[int]) -> Tensor:
    """Every pixel of the box is the mean of its four neighbours: `image` `(H, W)` in float64."""
    top, left, height, width = box
    count = height * width
    matrix, known = torch.zeros(count, count).double(), torch.zeros(count).double()
    for i in range(height):
        for j in range(width):
            matrix[i * width + j, i * width + j] = 4
            for y, x in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
                if 0 <= y < height and 0 <= x < width:
                    matrix[i * width + j, y * width + x] = -1
                else:
                    known[i * width + j] += image[top + y, left + x]
    result = image.clone()
    inner = torch.linalg.solve(matrix, known).view(height, width)
    result[top : top + height, left : left + width] = inner
    return result


@settings(deadline=None, max_examples=20)
@given(size=st.tuples(st.integers(4, 24), st.integers(4, 24)), seed=st.integers(0, 2**31))
def test_a_hole_is_filled_by_the_membrane(size: tuple[int, int], seed: int) -> None:
    x = random_batch((4, 1, *size), torch.float64, seed)
    params = Missing().draw(x, seeded(seed))
    result = Missing().replay(x, params)
    for b in range(4):
        expected = solved(x[b, 0], params["box"][b].tolist())
        torch.testing.assert_close(result[b, 0], expected)


def test_a_paste_has_the_gradients_of_its_patch_and_no_step() -> None:
    x = random_batch((6, 1, 40, 30), torch.float64) * 0.1
    params = Paste().draw(x, seeded(1))
    result = Paste().replay(x, params)
    high, wide = 14, 10
    patch = sampled(x, params["box"], params["shift"], params["zoom"], high, wide)
    for b in range(6):
        top, left, height, width = params["box"][b].tolist()
        around = slice(top - 1, top + height + 1), slice(left - 1, left + width + 1)
        theirs = patch[b, 0, : height + 2, : width + 2]
        apart = x[b, 0][around] - theirs
        expected = theirs + solved(apart, [1, 1, height, width])
        torch.testing.assert_close(
            result[b, 0][around][1:-1, 1:-1], expected[1:-1, 1:-1].clamp(-1, 1)
        )


def test_a_ramp_is_sampled_where_the_formula_says() -> None:
    ramp = torch.arange(60.0)[:, None] + 100 * torch.arange(50.0)
    x = ramp.double()[None, None]
    box, shift = torch.tensor([[20, 10, 5, 7]]), torch.tensor([[9, 8]])
    found = sampled(x, box, shift, torch.tensor([0.8]), 5, 7)[0, 0]
    for i in range(7):
        for j in range(9):
            row = 20 + 2 + (i - 1 - 2) * 0.8 + 9
            column = 10 + 3 + (j - 1 - 3) * 0.8 + 8
            torch.testing.assert_close(found[i, j], torch.tensor(row + 100 * column).double(),
                                       rtol=1e-5, atol=1e-3)  # fmt: skip


def test_boxes_leave_a_pixel_around_and_keep_their_shares() -> None:
    box = Missing().draw(torch.zeros(3000, 1, 100, 50), seeded(0))["box"]
    for axis, size in ((0, 100), (1, 50)):
        start, length = box[:, axis], box[:, 2 + axis]
        assert start.min() == 1
        assert (start + length).max() == size - 1
        assert length.min() == round(0.06 * size)
        assert length.max() == int(0.35 * size)
