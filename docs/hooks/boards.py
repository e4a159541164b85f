"""Photographs of circuit boards, drawn: what the playground's detector learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 96  # pixels; many grids divide it
_FINE = 3  # times as large when it is drawn, so that edges are smooth
_LACQUERS = ((24, 92, 58), (22, 66, 112), (120, 34, 40))  # green, blue, red
_TABLE = (206, 203, 196)
_GOLD, _TIN, _BLACK = (210, 174, 88), (194, 194, 194), (34, 35, 38)
_PARTS = ((18, 32), (18, 44), (18, 56), (78, 36), (78, 52))  # their centres

Fault = Literal["missing", "scratch", "solder"]


def board(seed: int, fault: Fault | None = None, lacquer: int | None = None) -> NDArray[np.uint8]:
    """A board (SIDE, SIDE, 3) that lies, is lit and is lacquered as the seed says."""
    draws = np.random.default_rng(seed)
    kind = int(draws.integers(3))
    colour = np.array(_LACQUERS[kind if lacquer is None else lacquer]) + draws.normal(0, 4, 3)
    pen = _Pen(colour)
    pen.traces()
    pen.connectors()
    pen.chip()
    missing = int(draws.integers(len(_PARTS)))
    for number in range(len(_PARTS)):
        pen.part(number, missing=fault == "missing" and number == missing)
    if fault == "scratch":
        x, y = draws.uniform(22, 38), draws.uniform(62, 74)
        pen.line((x, y, x + 14, y - 5, x + 32, y - 22), (226, 226, 220), 2)
    if fault == "solder":
        x, y = float(draws.choice([29, 67])), draws.uniform(40, 56)
        pen.disc(x, y, 4.5, (222, 224, 228))
        pen.disc(x - 1, y - 1.5, 1.2, (250, 250, 252))
    return _photograph(pen.image, draws)


def _photograph(drawn: Image.Image, draws: np.random.Generator) -> NDArray[np.uint8]:
    """Not quite straight, not quite in the middle, unevenly lit, with noise."""
    down, right = draws.normal(0, 0.8 * _FINE, 2)
    turned = drawn.rotate(
        draws.normal(0, 1.2),
        Image.Resampling.BICUBIC,
        translate=(round(right), round(down)),
        fillcolor=_TABLE,
    )
    pixels = np.asarray(turned.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.float64)
    slope = np.linspace(-1, 1, SIDE)
    tilts = 1 + draws.normal(0, 0.05) * slope[:, None] + draws.normal(0, 0.05) * slope
    lit = pixels * (draws.uniform(0.88, 1.1) * tilts)[..., None]
    return (lit + draws.normal(0, 3, lit.shape)).clip(0, 255).round().astype(np.uint8)


class _Pen:
    """Draws in pixels of the photograph."""

    def __init__(self, lacquer: NDArray[np.float64]) -> None:
        self.lacquer = _colour(lacquer)
        self.trace = _colour(lacquer * 1.25 + 12)
        self.image = Image.new("RGB", (SIDE * _FINE, SIDE * _FINE), _TABLE)
        self._draw = ImageDraw.Draw(self.image)
        edge = [8 * _FINE, 8 * _FINE, 88 * _FINE, 88 * _FINE]
        self._draw.rounded_rectangle(edge, 5 * _FINE, fill=self.lacquer)

    def line(self, along: Sequence[float], colour: tuple[int, ...], width: float) -> None:
        self._draw.line([v * _FINE for v in along], fill=colour, width=round(width * _FINE))

    def box(self, x: float, y: float, right: float, down: float, colour: tuple[int, ...]) -> None:
        self._draw.rectangle([v * _FINE for v in (x, y, right, down)], fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
        sides = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse([v * _FINE for v in sides], fill=colour)

    def traces(self) -> None:
        for n in range(5):
            x, out = 37 + 5.5 * n, n - 2
            below = (x, 60, x, 70, x + 3 * out, 76, x + 3 * out, 88)
            self.line(below, self.trace, 1.5)
            self.line((x, 36, x, 28, x + 2 * out, 22), self.trace, 1.5)

    def connectors(self) -> None:
        for x in (16, 80):
            for y in (16, 80):
                self.disc(x, y, 5, _GOLD)
                self.disc(x, y, 2.6, _TABLE)
        for x in (39, 59):
            self.disc(x, 18, 6, (52, 60, 84))
            self.disc(x, 18, 4.5, (176, 180, 188))
        for n in range(6):
            self.box(29 + 7 * n, 82, 33 + 7 * n, 88, _GOLD)

    def chip(self) -> None:
        for n in range(5):
            self.box(29, 37 + 5 * n, 67, 39 + 5 * n, _TIN)
        self.box(33, 34, 63, 60, _BLACK)
        self.disc(37, 38, 1.8, (150, 150, 152))
        self.box(41, 45, 55, 46.5, (120, 121, 124))
        self.box(43, 49, 53, 50.5, (120, 121, 124))

    def part(self, number: int, *, missing: bool) -> None:
        x, y = _PARTS[number]
        self.box(x - 5, y - 2.6, x + 5, y + 2.6, (196, 190, 176))
        body = (58, 42, 34) if number < 3 else (176, 134, 84)
        self.box(x - 3.2, y - 2.8, x + 3.2, y + 2.8, self.lacquer if missing else body)


def _colour(values: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(value) for value in values.clip(0, 255))
