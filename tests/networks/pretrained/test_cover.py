"""The greedy cover against a naive loop, and what a stream of points is promised."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nda.networks.pretrained.cover import (
    ROOM,
    Cover,
    greedy_cover,
    nearest_squared,
    squared_parts,
)


def some_points(count: int, width: int = 5, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=rng, dtype=torch.float64)


def naive_cover(points: Tensor, most: int) -> list[int]:
    rows = [int((points - points.mean(dim=0)).norm(dim=1).argmax())]
    while len(rows) < most:
        away = torch.tensor([min(float((p - points[r]).norm()) for r in rows) for p in points])
        rows.append(int(away.argmax()))
    return rows


def points_of(points: Tensor) -> set[tuple[float, ...]]:
    return {tuple(point) for point in points.tolist()}


@pytest.mark.parametrize("most", [1, 7, 30])
def test_rows_are_those_of_a_loop_over_points(most: int) -> None:
    points = some_points(30)
    rows, left = greedy_cover(points, most)
    assert rows.tolist() == naive_cover(points, most)
    away = torch.cdist(points, points[rows]).amin(dim=1)
    assert left == pytest.approx(float(away.amax()), abs=1e-6)


def test_no_choice_of_as_many_leaves_less_than_half() -> None:
    points = some_points(9, width=2)
    _, left = greedy_cover(points, 2)
    pairs = ((a, b) for a in range(9) for b in range(a))
    best = min(float(torch.cdist(points, points[list(pair)]).amin(1).amax()) for pair in pairs)
    assert best <= left <= 2 * best


def test_rounding_never_keeps_a_point_twice_where_others_are_left() -> None:
    points = (some_points(300, width=150) * 1e-2 + 100).float()
    rows, _ = greedy_cover(points, 300)
    assert len(set(rows.tolist())) == 300


def test_equal_points_are_kept_several_times() -> None:
    points = some_points(2).repeat(4, 1)
    rows, left = greedy_cover(points, 6)
    assert left == pytest.approx(0, abs=1e-6)
    assert points_of(points[rows]) == points_of(points)


@settings(max_examples=40, deadline=None)
@given(
    most=st.integers(1, 12),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_every_point_of_a_stream_is_within_the_radius(
    most: int, sizes: list[int], seed: int
) -> None:
    stream = some_points(max(sum(sizes), most), width=3, seed=seed)
    cover = Cover(most)
    largest = 0
    for some in stream.split(max(sizes)):
        cover.add(some)
        largest = max(largest, len(cover.whole))
    kept = cover.settle()
    assert len(kept) == most
    assert largest <= ROOM * most
    away = torch.cdist(stream, kept).amin(dim=1)
    assert float(away.amax()) <= cover.radius + 1e-5
    assert points_of(kept) <= points_of(stream)


def test_what_fits_in_at_once_is_covered_as_if_all_were_at_hand() -> None:
    points = some_points(40)
    cover = Cover(10)
    for some in points.split(7):
        cover.add(some)
    rows, left = greedy_cover(points, 10)
    assert torch.equal(cover.settle(), points[rows])
    assert cover.radius == left


def test_what_is_already_near_is_not_taken() -> None:
    cover = Cover(4)
    cover.add(some_points(20))
    assert cover.kept is not None
    before = cover.kept
    for _ in range(50):
        cover.add(before + 1e-3)
    assert torch.equal(cover.whole, before)


def test_something_new_is_taken_however_late() -> None:
    cover = Cover(4)
    cover.add(some_points(200))
    far = torch.full((1, 5), 50.0, dtype=torch.float64)
    cover.add(far)
    cover.add(some_points(200, seed=1))
    assert points_of(far) <= points_of(cover.settle())


@pytest.mark.parametrize("size", [1, 3, 100])
def test_distances_are_exact_far_from_the_origin(size: int) -> None:
    points, others = some_points(6).float() + 1000, some_points(8, seed=1).float() + 1000
    expected = torch.cdist(points.double(), others.double()).square()
    found = torch.cat(list(squared_parts(points, others, size)), dim=1)
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(
        nearest_squared(points, others).double(), expected.amin(1), atol=1e-3, rtol=1e-3
    )
