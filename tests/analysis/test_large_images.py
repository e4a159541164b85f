"""Surfaces are quilted of crops, and faults lie where they are said to."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import large_images as large


def stock(count: int = 3) -> list[large.Grey]:
    rng = np.random.default_rng(0)
    return [rng.normal(100, 20, (large.CROP + 20, large.CROP + 40)) for _ in range(count)]


def hole() -> tuple[large.Grey, large.Grey]:
    picture, mask = np.full((40, 40), 100.0), np.zeros((40, 40), bool)
    mask[10:18, 12:28] = True
    picture[mask] = 20
    found = large.cut_hole(picture, mask)
    assert found is not None
    return found


def test_a_surface_has_its_size_and_its_level_and_none_is_another() -> None:
    rng = np.random.default_rng(1)
    one, other = (large.surface(stock(), rng, (150, 300), None) for _ in range(2))
    assert one.shape == other.shape == (150, 300)
    assert np.isfinite(one).all()
    assert 80 < one.mean() < 140
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] < 0.5


def test_surfaces_of_one_layout_differ_by_little() -> None:
    smooth = [np.add.outer(np.arange(120.0), np.arange(140.0)) * k for k in (-1, 0.5, 1)]
    rng = np.random.default_rng(1)
    one, other = (large.surface(smooth, rng, (150, 300), 5) for _ in range(2))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_a_fault_is_laid_where_it_is_said_to_be_at_its_size() -> None:
    difference, mask = hole()
    assert difference.min() == -80
    assert mask.sum() == 8 * 16
    for seed in range(5):
        picture = np.full((90, 120), 100.0)
        x, y = large.paste(picture, (difference, mask), 12, np.random.default_rng(seed))
        rows, columns = np.nonzero(picture < 60)
        assert abs(rows.mean() - y) <= 1.5
        assert abs(columns.mean() - x) <= 1.5
        assert 10 <= np.ptp(columns) + 1 <= 13
        assert picture[: rows.min() - 6].min() > 99


def test_a_fault_at_the_edge_is_not_taken() -> None:
    mask = np.zeros((40, 40), bool)
    mask[0:5, 10:20] = True
    assert large.cut_hole(np.zeros((40, 40)), mask) is None
