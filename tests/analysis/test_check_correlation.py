"""Rank correlations against scipy's."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from scipy.stats import spearmanr

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "analysis" / "check_correlation.py"))


@pytest.mark.parametrize(
    "values", [[3.0, 1.0, 2.0, 5.0, 4.0], [1.0, 1.0, 2.0, 0.0, 7.0], [1.0, 2.0, 3.0, 4.0, 5.0]]
)
def test_the_correlation_is_spearmans(values: list[float]) -> None:
    others = [1.0, 3.0, 2.0, 4.0, 9.0]
    rho, p = SCRIPT["spearman"](values, others)
    assert rho == pytest.approx(spearmanr(values, others).statistic)
    assert 1 / 120 <= p <= 1


def test_a_perfect_order_of_five_is_one_of_120_each_way() -> None:
    rho, p = SCRIPT["spearman"]([1.0, 2.0, 3.0, 4.0, 5.0], [10.0, 20.0, 30.0, 40.0, 50.0])
    assert rho == pytest.approx(1)
    assert p == pytest.approx(2 / 120)
