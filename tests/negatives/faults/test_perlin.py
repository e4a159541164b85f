"""Perlin noise against the textbook, pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch

from nda.negatives.faults.fault import draws
from nda.negatives.faults.perlin import draw_perlin, perlin
from tests.negatives.test_contract import seeded


def naive(angle: list[list[float]], cells: list[float], y: float, x: float) -> float:
    """At a place given in shares of the sides."""
    y, x = y * cells[0], x * cells[1]
    row, column = int(y), int(x)
    v, u = y - row, x - column

    def slope(i: int, j: int) -> float:
        turn = angle[row + i][column + j]
        return math.sin(turn) * (v - i) + math.cos(turn) * (u - j)

    def fade(t: float) -> float:
        return 6 * t**5 - 15 * t**4 + 10 * t**3

    upper = slope(0, 0) + fade(u) * (slope(0, 1) - slope(0, 0))
    lower = slope(1, 0) + fade(u) * (slope(1, 1) - slope(1, 0))
    return math.sqrt(2) * (upper + fade(v) * (lower - upper))


@pytest.mark.parametrize("low", [2, 16])
def test_it_is_the_noise_of_the_textbook(low: float) -> None:
    drawn = draw_perlin(draws(torch.zeros(3, 1, 9, 14), seeded(0)), low, 16)
    noise = perlin(drawn["direction"], drawn["cells"], 9, 14)
    for b in range(3):
        angle, cells = drawn["direction"][b].tolist(), drawn["cells"][b].tolist()
        for y in range(9):
            for x in range(14):
                expected = naive(angle, cells, (y + 0.5) / 9, (x + 0.5) / 14)
                assert float(noise[b, y, x]) == pytest.approx(expected, abs=1e-4)
    assert noise.abs().max() <= 1
