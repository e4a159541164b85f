"""The shares that are flagged over splits, on features that are drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import coverage_of_promises as coverage

from nda.networks.pretrained import gaussian


def features(count: int, seed: int = 0) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    sides = (8, 4, 2, 1)
    return [
        torch.randn(count, channels, side, side, generator=rng)
        for channels, side in zip(coverage.CHANNELS, sides, strict=True)
    ]


def test_shares_are_those_of_conformal_p_values() -> None:
    known = torch.arange(19).double()
    new = torch.tensor([30.0, 18.5, 17.5, 3.0]).double()
    shares = dict(zip(coverage.RATES, coverage.flagged(new, known).tolist(), strict=True))
    assert shares[0.01] == shares[0.02] == 0
    assert shares[0.05] == 0.5
    assert shares[0.1] == 0.75


@pytest.mark.parametrize("method", ["gaussian", "neighbours", "combine"])
def test_every_way_of_a_split_but_none_that_copies_make_pointless(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaussian, "MOST_CHANNELS", 12)
    drawn = features(30)
    rows = torch.arange(20), torch.arange(20, 30)
    found = coverage.one_split(method, drawn, *rows, torch.arange(20))
    ways = {"left out", "left out, one", "fitted to", "held out"}
    assert set(found) == (ways - {"left out, one"} if method == "neighbours" else ways)
    assert all(0 <= float(share) <= 1 for shares in found.values() for share in shares)
    assert float(found["fitted to"][-1]) > float(found["left out"][-1])  # known by heart
    few = coverage.one_split(method, drawn, *rows, torch.arange(20), others=False)
    assert set(few) == {"left out"}
    assert torch.equal(few["left out"], found["left out"])


def test_a_summary_says_how_sure_the_mean_is_and_where_the_splits_lie() -> None:
    shares = [torch.full((len(coverage.RATES),), value).double() for value in (0.0, 0.1, 0.2)]
    found = coverage.summary(shares)
    assert found["mean"][0] == pytest.approx(0.1)
    assert found["error"][0] == pytest.approx(0.1 / 3**0.5, abs=1e-5)
    assert (found["low"][0], found["high"][0]) == (pytest.approx(0.005), pytest.approx(0.195))
