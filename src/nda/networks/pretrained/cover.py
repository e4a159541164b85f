"""Which of many points to keep, so that none is far from one that is kept."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

ROOM = 4  # times as many points as are kept wait at most, until they are thinned out


def greedy_cover(points: Tensor, most: int) -> tuple[Tensor, float]:
    """Rows `(most,)` of the points `(N, D)` to keep, and how far the others are from them at most.

    The first is the one that is furthest from the mean, each other the one that is furthest from
    those before it (Gonzalez, 1985): no choice of as many leaves less than half that distance.
    Where fewer than `most` points differ, some rows are there several times.
    """
    points = points - points.mean(dim=0)  # so that little cancels below
    squares = points.square().sum(dim=1)
    row = squares.argmax()
    away = torch.full_like(squares, float("inf"))
    rows = torch.empty(most, dtype=torch.int64, device=points.device)
    for index in range(most):
        rows[index] = row
        away = torch.minimum(away, squares - 2 * (points @ points[row]) + squares[row])
        row = away.argmax()
    return rows, float(away.amax().clamp(min=0).sqrt())


class Cover:
    """At most `most` points of a stream of them, in memory that their number leaves alone.

    Points wait until there are four times as many, and are then thinned out by `greedy_cover`. One
    that is no further from what was kept than others were left at that time is not taken. `radius`
    is how far any point that came is from one that is kept, at most.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.radius = 0.0
        self.left = 0.0  # how far points were left from those kept, when last thinned out
        self.kept: Tensor | None = None
        self.waiting: list[Tensor] = []

    def add(self, points: Tensor) -> None:
        """Take these points `(N, D)` as well."""
        for some in points.split(self.most):
            new = some
            if self.kept is not None:
                new = some[nearest_squared(some, self.kept).sqrt() > self.left]
            self.waiting.append(new)
            if len(self.whole) > ROOM * self.most:
                self._thin()

    @property
    def whole(self) -> Tensor:
        """What is kept and what waits."""
        return torch.cat([*([] if self.kept is None else [self.kept]), *self.waiting])

    def _thin(self) -> None:
        whole = self.whole
        rows, left = greedy_cover(whole, self.most)
        # What was left before is as far from what was kept, which now is left itself.
        self.radius, self.left = self.radius + left, left
        self.kept, self.waiting = whole[rows], []

    def settle(self) -> Tensor:
        """The points `(most, D)` that are kept, some several times where fewer came."""
        self._thin()
        assert self.kept is not None
        return self.kept


def nearest_squared(points: Tensor, others: Tensor) -> Tensor:
    """Squared distances `(N,)` of points `(N, D)` to the nearest of others `(M, D)`."""
    parts = (part.amin(dim=1) for part in squared_parts(points, others))
    return functools.reduce(torch.minimum, parts)


def squared_parts(points: Tensor, others: Tensor, size: int = 1000) -> Iterator[Tensor]:
    """Squared distances `(N, size)` of points `(N, D)` to others `(M, D)`, so many at a time.

    Both are taken less the mean of the others, so that little cancels.
    """
    middle = others.mean(dim=0)
    centred = points - middle
    length = centred.square().sum(dim=1, keepdim=True)
    for some in others.split(size):
        part = some - middle
        squares = length + part.square().sum(dim=1) - 2 * centred @ part.t()
        yield squares.clamp(min=0)
