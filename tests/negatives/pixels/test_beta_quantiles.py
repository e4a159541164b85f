"""Quantiles of the Beta law against those of SciPy, from a coin to a needle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betainc, betaincinv

from nda.negatives.pixels.beta_quantiles import beta_quantiles

LEVELS = (np.arange(2048) + 0.5) / 2048


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.3, 0.5, 1.0, 2.0, 25.0, 1e4, 1e9])
def test_they_are_those_of_scipy(alpha: float) -> None:
    found = beta_quantiles(alpha, LEVELS)
    expected = betaincinv(alpha, alpha, LEVELS)
    shown = (expected > 1e-9) & (expected < 1 - 1e-9)
    np.testing.assert_allclose(found[shown], expected[shown], rtol=1e-10)
    assert (found[expected <= 1e-9] <= 1e-9).all()
    assert (found[expected >= 1 - 1e-9] >= 1 - 1e-9).all()


def test_the_law_takes_them_back_to_their_probabilities() -> None:
    found = beta_quantiles(7.5, LEVELS)
    np.testing.assert_allclose(betainc(7.5, 7.5, found), LEVELS, rtol=1e-10)


def test_they_rise_and_mirror_each_other() -> None:
    found = beta_quantiles(0.7, LEVELS)
    assert (np.diff(found) > 0).all()
    np.testing.assert_allclose(found + found[::-1], 1, rtol=0, atol=1e-15)


@pytest.mark.parametrize("alpha", [5e-324, 1e-30, 1e30, 1.7e308])
def test_none_is_lost_at_the_ends_of_what_a_float_can_say(alpha: float) -> None:
    found = beta_quantiles(alpha, LEVELS)
    assert np.isin(found.round(12), [0, 1] if alpha < 1 else [0.5]).all()
