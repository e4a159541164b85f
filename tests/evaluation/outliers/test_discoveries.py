"""Benjamini-Hochberg against the definition, and its promise on drawn scores."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import false_discovery_control

from nda.errors import ConfigError
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.discoveries import discovery_limit, exact


@pytest.mark.parametrize(("dependent", "method"), [(False, "bh"), (True, "by")])
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.6])
def test_what_is_flagged_is_what_scipy_flags(rate: float, dependent: bool, method: str) -> None:
    rng = torch.Generator().manual_seed(0)
    some = 0
    for _ in range(30):
        p = (
            torch.rand(40, generator=rng, dtype=torch.float64) ** 4 * 199
        ).ceil() / 200  # with ties
        limit = discovery_limit(p.tolist(), rate, any_dependence=dependent)
        expected = torch.from_numpy(false_discovery_control(p.numpy(), method=method)) <= rate
        assert torch.equal(p <= limit, expected)
        some += int(expected.sum())
    assert some or rate == 0.05


def test_of_conformal_p_values_no_more_are_false_than_promised() -> None:
    rng = torch.Generator().manual_seed(0)
    shares, found = [], []
    for _ in range(1500):
        draws = torch.randn(199 + 50, generator=rng)
        draws[-10:] += 4
        p = p_values(draws[199:], draws[:199])
        flagged = p <= discovery_limit(p.tolist(), 0.2, any_dependence=False)
        shares.append(float(flagged[:40].sum()) / max(1, int(flagged.sum())))
        found.append(float(flagged[40:].double().mean()))
    mean = sum(shares) / len(shares)
    assert 0.1 < mean < 0.2  # 0.2 times the share of normal images: 0.16
    assert sum(found) / len(found) > 0.8


def test_what_a_table_rounded_off_is_put_back() -> None:
    exact_values = [1 / 150, *[0.5] * 14]
    written = [float(f"{p:.6g}") for p in exact_values]
    assert discovery_limit(written, 0.1, any_dependence=False) == 0
    assert [exact(p, 149) for p in written] == [1 / 150, *[75 / 150] * 14]
    assert discovery_limit([exact(p, 149) for p in written], 0.1, any_dependence=False) == 1 / 150


def test_nothing_to_flag() -> None:
    assert discovery_limit([], 0.1, any_dependence=False) == 0
    assert discovery_limit([0.5, 0.9], 0.1, any_dependence=False) == 0


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_other_rates_are_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match=f"false_discovery_rate is {rate:g}; it is a share of"):
        discovery_limit([0.1], rate, any_dependence=False)
