"""The collection of counts over seeds and λ, from invented runs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from nda.errors import ConfigError

ANALYSIS = Path(__file__).parents[2] / "analysis"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    return runpy.run_path(str(ANALYSIS / "collect_numerosity.py"))


def invented_run(
    path: Path, seed: int, counts: list[int], weight: float | None = None, **settings: Any
) -> Path:
    """A run whose images show two objects as often as `counts[2]` says."""
    path.mkdir()
    config = {
        "recipe": "numerosity",
        "out": str(path),
        "data": "dots.zip",
        "seed": seed,
        "negative": "none" if weight is None else "other_counts",
        "fake_weight": weight or 0.5,
        "steps": 9,
        **settings,
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    metric: dict[str, Any] = {
        "name": "generated_exact",
        "title": "T",
        "better": "",
        "protocol": {"a": 1},
    }
    metric["value"] = counts[2] / sum(counts)
    real = [7 if number == 2 else 0 for number in range(len(counts))]
    series = {"generated": counts, "real": real}
    histogram: dict[str, Any] = {"name": "counts", "title": "T", "axis": "a", "protocol": {}}
    histogram |= {"series": series, "edges": [float(x) for x in range(len(counts) + 1)]}
    evaluation = {"step": 9, "metrics": [metric], "histograms": [histogram]}
    (path / "metrics.json").write_text(json.dumps([evaluation]))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [
        invented_run(tmp_path / "b0", 0, [0, 1, 9], 0.5),
        invented_run(tmp_path / "a0", 0, [1, 1, 2]),
        invented_run(tmp_path / "a1", 1, [0, 0, 3, 1]),
        invented_run(tmp_path / "b1", 1, [0, 0, 1], 0.5),
        invented_run(tmp_path / "c0", 0, [0, 2, 2], 0.25),
    ]


def test_arms_are_compared_seed_by_seed(script: dict[str, Any], runs: list[Path]) -> None:
    found = script["collect"](runs)
    exact = found["metrics"]["generated_exact"]
    assert exact["protocol"] == {"step": 9, "a": 1}
    assert exact["arms"]["none"]["by_seed"] == {0: 0.5, 1: 0.75}
    assert exact["arms"]["λ = 0.5"]["by_seed"] == {0: 0.9, 1: 1.0}
    assert exact["differences"]["λ = 0.5 - none"]["mean"] == pytest.approx(0.325)
    assert exact["differences"]["λ = 0.25 - none"]["interval_95"] is None
    assert found["settings"] == {"recipe": "numerosity", "steps": 9}


def test_shares_of_counts_are_means_over_seeds(script: dict[str, Any], runs: list[Path]) -> None:
    shares = script["collect"](runs)["shares"]
    assert shares["none"]["mean"] == [0.125, 0.125, 0.625, 0.125]  # of 1/4 1/4 1/2 and 3/4 1/4
    assert shares["none"]["standard_deviation"][3] == pytest.approx(0.25 / 2**0.5)
    assert shares["real"] == {
        "runs": 5,
        "mean": [0.0, 0.0, 1.0, 0.0],
        "standard_deviation": [0.0, 0.0, 0.0, 0.0],
    }
    assert shares["λ = 0.25"]["standard_deviation"] == [None] * 3


def test_the_figure_names_its_arms(script: dict[str, Any], runs: list[Path]) -> None:
    svg = script["draw"](script["collect"](runs), "λ = 0.5")
    for words in ("without NDA (n = 2)", "with NDA, λ = 0.5 (n = 2)", "real images", "share exact"):
        assert words in svg
    with pytest.raises(ConfigError, match=r"no run of 'λ = 1' to show; there are none, λ = 0.2"):
        script["draw"](script["collect"](runs), "λ = 1")


def test_runs_that_do_not_belong_together_are_refused(
    script: dict[str, Any], runs: list[Path], tmp_path: Path
) -> None:
    longer = invented_run(tmp_path / "longer", 0, [0, 0, 1], 0.75, steps=10)
    with pytest.raises(ConfigError, match=r"steps of .* is .* and was .* before; give runs that"):
        script["collect"]([*runs, longer])
    unfinished = invented_run(tmp_path / "unfinished", 0, [0, 0, 1], 0.75)
    (unfinished / "metrics.json").unlink()
    with pytest.raises(ConfigError, match="unfinished has not been evaluated; finish it, or leave"):
        script["collect"]([*runs, unfinished])
    other = invented_run(tmp_path / "gan", 0, [0, 0, 1], 0.75, recipe="gan")
    with pytest.raises(ConfigError, match="is a run of gan; give runs of numerosity"):
        script["collect"]([other])
