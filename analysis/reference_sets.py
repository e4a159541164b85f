"""Parts with a template each, made: boards that are drawn, and prints, which are photographs.

Every image shows one of the parts, moved by up to 6 pixels either way, lit otherwise and noisy;
prints are JPEG files too. Of each part there is one photograph more that serves as its template.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomaly_sets import SIDE
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from nda.data import load_images
from nda.negatives import negative_from_name

PARTS = 8
FITTED, CALIBRATED, TESTED = 10, 5, 10  # images a part; as many are faulty as are tested with
MOVED = 6.0  # pixels
NOISE = 3.0  # grey levels
_FINE = 4  # times as large when a board is drawn
_ROOM = 16  # pixels around a part that come into view where it is moved
TABLE = (206, 203, 196)
COMPONENTS = 9  # of a board
BOARD_FAULTS = ("missing", "scratch", "stain", "moved")
PRINT_FAULTS = ("scar", "crack", "stain", "missing")
STRENGTH = 0.5  # of faults of prints
VISIBLE = 12  # grey levels: less is lost in noise and light
FEWEST_SEEN = 20  # pixels of a fault that differ by more

Pixels = NDArray[np.float64]


@dataclass
class Parts:
    """Images uint8 (N, 3, 128, 128) of parts, with what was done to each."""

    name: str
    templates: Tensor  # (PARTS, 3, 128, 128)
    others: Tensor  # templates of parts that no image shows
    images: Tensor
    part: Tensor  # int64 (N,)
    shift: Tensor  # (N, 2), down and right
    role: list[str]  # fit, known, test or the kind of fault
    masks: Tensor  # bool (N, 128, 128)

    def rows(self, *roles: str) -> Tensor:
        return torch.tensor([n for n, each in enumerate(self.role) if each in roles])


@dataclass(frozen=True)
class Component:
    """What is soldered to a board, in pixels of the photograph."""

    x: float
    y: float
    width: float
    height: float
    colour: tuple[int, int, int]
    legs: int  # a side, 0 for none


def boards(seed: int, *, loose: float = 0.0) -> Parts:
    """Boards of one outline, each with traces and components of its own.

    Of `loose` ones components lie so many pixels off, and boards so many degrees askew (standard
    deviations); the templates do not.
    """
    draws = np.random.default_rng([91, seed, int(loose > 0)])
    layouts = [Layout(draws) for _ in range(2 * PARTS)]

    def made(number: int, fault: str | None) -> tuple[Pixels, Pixels]:
        off = draws.normal(0, loose, (COMPONENTS, 2)) * (fault is not None)
        askew = float(draws.normal(0, loose)) * (fault is not None)
        whole = layouts[number].drawn("", draws, off, askew)
        return (layouts[number].drawn(fault, draws, off, askew) if fault else whole), whole

    return photographed("loose boards" if loose else "boards", made, BOARD_FAULTS, draws)


class Layout:
    """Where everything is on one kind of board."""

    def __init__(self, draws: np.random.Generator) -> None:
        self.lacquer = np.array([(24, 92, 58), (22, 66, 112)][int(draws.integers(2))])
        self.traces = [self._trace(draws) for _ in range(7)]
        self.components: list[Component] = []
        while len(self.components) < COMPONENTS:
            new = self._component(draws)
            if all(apart(new, other) for other in self.components):
                self.components.append(new)

    def _trace(self, draws: np.random.Generator) -> list[float]:
        x, y = draws.uniform(18, 110, 2)
        turn, end = draws.uniform(18, 110, 2)
        return [x, y, turn, y, turn, end]

    def _component(self, draws: np.random.Generator) -> Component:
        large = draws.random() < 0.3
        width, height = draws.uniform(16, 26, 2) if large else draws.uniform(6, 12, 2)
        x, y = draws.uniform(20, 108 - width), draws.uniform(20, 108 - height)
        colours = [(34, 35, 38), (176, 134, 84), (196, 190, 176), (58, 42, 34), (150, 40, 36)]
        colour = colours[0] if large else colours[int(draws.integers(1, 5))]
        return Component(x, y, width, height, colour, 5 if large else 0)

    def drawn(self, fault: str, draws: np.random.Generator, off: Pixels, askew: float) -> Pixels:
        """The board (160 * 4, 160 * 4, 3), with a fault if one is named."""
        pen = Pen(self.lacquer)
        for trace in self.traces:
            pen.line(trace, tuple(int(v) for v in self.lacquer * 1.25 + 14), 1.5)
        odd = int(draws.integers(len(self.components)))
        for number, each in enumerate(self.components):
            if fault == "missing" and number == odd:
                continue
            by = draws.uniform(4, 7) * draws.choice([-1, 1]) if number == odd else 0.0
            pen.component(each, off[number] + (by if fault == "moved" else 0.0, 0.0))
        if fault == "scratch":
            x, y = draws.uniform(24, 90, 2)
            turn = draws.uniform(-10, 10, 4)
            ends = (x + 9 + turn[0], y + 6 + turn[1], x + 18 + turn[2], y + 12 + turn[3])
            pen.line([x, y, *ends], (205, 208, 200), 1.2)
        if fault == "stain":
            pen.stain(*draws.uniform(28, 100, 2), *draws.uniform(5, 9, 2))
        turned = pen.image.rotate(askew, Image.Resampling.BICUBIC, fillcolor=TABLE)
        return np.asarray(turned, np.float64)


def apart(one: Component, other: Component) -> bool:
    return bool(
        abs(one.x + one.width / 2 - other.x - other.width / 2) > (one.width + other.width) / 2 + 5
        or abs(one.y + one.height / 2 - other.y - other.height / 2)
        > (one.height + other.height) / 2 + 5
    )


class Pen:
    """Draws in pixels of the photograph, whose corner lies 16 pixels within the drawing."""

    def __init__(self, lacquer: NDArray[np.int64]) -> None:
        side = (SIDE + 2 * _ROOM) * _FINE
        self.image = Image.new("RGB", (side, side), TABLE)
        self.draw = ImageDraw.Draw(self.image)
        self.box(12, 12, 116, 116, tuple(lacquer.tolist()))
        for x in (18, 110):
            for y in (18, 110):
                self.box(x - 3, y - 3, x + 3, y + 3, (210, 174, 88))

    def box(self, left: float, top: float, right: float, down: float, colour: Any) -> None:
        self.draw.rectangle([(v + _ROOM) * _FINE for v in (left, top, right, down)], fill=colour)

    def line(self, along: Sequence[float], colour: Any, width: float) -> None:
        self.draw.line([(v + _ROOM) * _FINE for v in along], colour, round(width * _FINE))

    def component(self, of: Component, by: Pixels) -> None:
        x, y = of.x + by[0], of.y + by[1]
        for n in range(of.legs):
            at = y + (n + 0.5) * of.height / of.legs
            self.box(x - 3, at - 0.8, x + of.width + 3, at + 0.8, (194, 194, 194))
        self.box(x, y, x + of.width, y + of.height, of.colour)
        if of.legs:
            self.box(x + 4, y + 4, x + of.width - 4, y + 5, (120, 121, 124))

    def stain(self, x: float, y: float, wide: float, high: float) -> None:
        layer = Image.new("L", self.image.size, 0)
        ends = [(v + _ROOM) * _FINE for v in (x - wide, y - high, x + wide, y + high)]
        ImageDraw.Draw(layer).ellipse(ends, fill=90)
        self.image.paste((96, 74, 40), mask=layer)


def prints(seed: int, data: Path) -> Parts:
    """Photographs that were printed, with scars, cracks, stains and gaps of known strength."""
    draws = np.random.default_rng([92, seed])
    rng = torch.Generator().manual_seed(9200 + seed)
    path = str(data / "imagenet_sample.zip")
    whole = load_images(path, resolution=SIDE + 2 * _ROOM, fit="crop").images
    chosen = whole[torch.from_numpy(draws.permutation(len(whole))[: 2 * PARTS])]

    def made(number: int, fault: str | None) -> tuple[Pixels, Pixels]:
        image = chosen[number : number + 1]
        inner = image[:, :, _ROOM:-_ROOM, _ROOM:-_ROOM]
        odd = image.clone()
        if fault:
            negative = negative_from_name(f"{fault}:strength={STRENGTH}")
            odd[:, :, _ROOM:-_ROOM, _ROOM:-_ROOM] = negative(inner, generator=rng)
        found, plain = (
            np.kron(each[0].permute(1, 2, 0).numpy(), np.ones((_FINE, _FINE, 1))).astype(float)
            for each in (odd, image)
        )
        return found, plain

    return photographed("prints", made, PRINT_FAULTS, draws, quality=85)


def photographed(
    name: str,
    made: Callable[[int, str | None], tuple[Pixels, Pixels]],
    faults: Sequence[str],
    draws: np.random.Generator,
    *,
    quality: int = 0,
) -> Parts:
    """All images of a set; `made` gives a part, with a fault if one is named, and without.

    With None it gives what a template shows.
    """
    still = np.zeros(2)
    plain = [photograph(made(number, None)[0], still, draws) for number in range(2 * PARTS)]
    roles = ["fit"] * FITTED + ["known"] * CALIBRATED + ["test"] * TESTED
    roles += [faults[n % len(faults)] for n in range(TESTED)]
    images, parts, shifts, masks, every = [], [], [], [], []
    for part in range(PARTS):
        for number, role in enumerate(roles):
            fault = faults[(number + part) % len(faults)] if role in faults else ""
            shift = (draws.uniform(-MOVED, MOVED, 2) * _FINE).round() / _FINE
            odd, mask = seen_fault(made, part, fault, shift)
            images.append(photograph(odd, shift, draws, quality=quality, lit=True))
            masks.append(mask)
            parts.append(part)
            shifts.append(shift)
            every.append(fault or role)
    pictures = [torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2) for each in (plain, images)]
    return Parts(
        name,
        pictures[0][:PARTS].contiguous(),
        pictures[0][PARTS:].contiguous(),
        pictures[1].contiguous(),
        torch.tensor(parts),
        torch.from_numpy(np.stack(shifts)).float(),
        every,
        torch.from_numpy(np.stack(masks)),
    )


def seen_fault(
    made: Callable[[int, str | None], tuple[Pixels, Pixels]],
    part: int,
    fault: str,
    shift: NDArray[np.float64],
) -> tuple[Pixels, NDArray[np.bool_]]:
    """A part, and where it is seen to be faulty: drawn anew where that is next to nowhere."""
    while True:
        odd, whole = made(part, fault)
        both = (seen_at(each, shift) for each in (odd, whole))
        mask = np.abs(np.subtract(*both)).max(axis=2) > VISIBLE
        if not fault or mask.sum() >= FEWEST_SEEN:
            return odd, mask


def seen_at(drawn: Pixels, shift: NDArray[np.float64]) -> Pixels:
    """The middle (128, 128, 3) of what is drawn, moved down and right by so many pixels."""
    image = Image.fromarray(drawn.round().astype(np.uint8))
    down, right = (_ROOM - shift) * _FINE
    box = (right, down, right + SIDE * _FINE, down + SIDE * _FINE)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, box=box), np.float64)


def photograph(
    drawn: Pixels,
    shift: NDArray[np.float64],
    draws: np.random.Generator,
    *,
    quality: int = 0,
    lit: bool = False,
) -> NDArray[np.uint8]:
    """What a camera makes of it, uint8 (128, 128, 3)."""
    pixels = seen_at(drawn, shift)
    if lit:
        slope = np.linspace(-1, 1, SIDE)
        tilts = 1 + draws.normal(0, 0.04) * slope[:, None] + draws.normal(0, 0.04) * slope
        pixels = pixels * (draws.uniform(0.8, 1.2) * tilts)[..., None]
    noisy = (pixels + draws.normal(0, NOISE, pixels.shape)).clip(0, 255).round().astype(np.uint8)
    if not quality:
        return noisy
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
