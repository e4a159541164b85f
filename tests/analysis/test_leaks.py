"""Neighbours across a split and within it, on points that are drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import leaks


def things(count: int, each: int) -> torch.Tensor:
    """So many points, each of them there several times with a little noise, one after the other."""
    rng = torch.Generator().manual_seed(0)
    points = torch.randn(count, 60, generator=rng).repeat_interleave(each, dim=0)
    return F.normalize(points + 0.1 * torch.randn(points.shape, generator=rng), dim=1)


def test_several_of_a_thing_are_near_where_it_is_on_both_sides_and_far_where_not() -> None:
    view = things(40, 4)
    rows = torch.arange(160)
    mixed = leaks.figures(view, rows[rows % 4 > 0], rows[rows % 4 == 0])
    assert mixed["test_to_train_near"] == mixed["train_to_train_near"] == 1
    apart = leaks.figures(view, rows[:120], rows[120:])
    assert apart["test_to_train_near"] < 0.1
    assert apart["train_to_train_near"] == 1
    assert apart["test_to_train"] > 5 * apart["train_to_train"]


def test_where_every_thing_is_there_once_both_sides_are_alike() -> None:
    rows = torch.arange(200)
    found = leaks.figures(things(200, 1), rows[:160], rows[160:])
    assert found["train_to_train_near"] < 0.05
    assert abs(found["test_to_train"] - found["train_to_train"]) < 0.1
    assert 0.8 < found["random_pair"] < 1.2
