"""The collection of outlier figures from invented runs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

ANALYSIS = Path(__file__).parents[2] / "analysis"


@pytest.fixture
def collect(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    return runpy.run_path(str(ANALYSIS / "collect_outliers.py"))["collect"]


def invented_run(path: Path, negative: str, seed: int, auroc: float, spread: float = 1.0) -> Path:
    path.mkdir()
    (path / "config.yaml").write_text(
        yaml.safe_dump({"recipe": "gan", "seed": seed, "negative": negative})
    )
    values = {
        "gap_std_jigsaw": spread,
        "ood_big_digits_discriminator_auroc": auroc,
        "ood_big_digits_discriminator_average_precision": 0.9,
        "ood_big_digits_knn_auroc": 0.8,
        "corrupted_mean_5_discriminator_auroc": auroc / 2,
    }
    metrics = [
        {"name": n, "title": "T", "value": v, "better": "", "protocol": {"score": n}}
        for n, v in values.items()
    ]
    (path / "metrics.json").write_text(json.dumps([{"step": 3, "metrics": metrics}]))
    return path


def test_arms_baselines_and_the_collapsed_are_told_apart(tmp_path: Path, collect: Any) -> None:
    runs = [
        invented_run(tmp_path / "a", "none", 0, 0.4),
        invented_run(tmp_path / "b", "none", 1, 0.6),
        invented_run(tmp_path / "c", "jigsaw", 0, 0.5, spread=1e-5),
        invented_run(tmp_path / "d", "jigsaw", 1, 0.9),
    ]
    found = collect(runs)
    assert found["collapsed"] == [{"negative": "jigsaw", "seed": 0}]
    assert list(found["auroc"]) == ["big_digits", "corrupted_mean_5"]
    digits = found["auroc"]["big_digits"]
    assert digits["baselines"] == {"knn": 0.8}
    assert digits["arms"]["none"]["mean"] == pytest.approx(0.5)
    assert digits["arms"]["jigsaw"]["by_seed"] == {0: 0.5, 1: 0.9}
    assert digits["without_collapsed"] == {"none": pytest.approx(0.5), "jigsaw": 0.9}
    difference = digits["differences"]["jigsaw - none"]
    assert difference["mean"] == pytest.approx(0.2)
    assert found["auroc"]["corrupted_mean_5"]["arms"]["jigsaw"]["mean"] == pytest.approx(0.35)


def test_figures_with_kinds_are_found_where_names_would_mislead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    place_of = runpy.run_path(str(ANALYSIS / "collect_outliers.py"))["place_of"]
    kinds = [
        {"figure": "auroc", "set": "a_knn", "score": "discriminator"},
        {"figure": "auroc", "corruption": "mean", "severity": "5", "score": "knn"},
        {"figure": "fpr95_id_positive", "set": "a", "score": "knn"},
        {"figure": "cosine", "beside": "jigsaw"},
    ]
    places = [place_of({"name": "ood_a_knn_auroc", "kind": kind}) for kind in kinds]
    assert places == [("a_knn", "discriminator"), ("corrupted_mean_5", "knn"), None, None]


def test_the_figure_names_sets_arms_and_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    draw = runpy.run_path(str(ANALYSIS / "outliers_figure.py"))["draw"]
    arms = {"none": {"by_seed": {"0": 0.4}}, "jigsaw": {"by_seed": {"0": 0.9, "1": 0.8}}}
    digits = {"arms": arms, "baselines": {"knn": 0.7}}
    svg = draw({"digits": digits, "corrupted_mean_5": {"arms": arms, "baselines": {}}})
    for text in ("digits", "severity 5", "discriminator with jigsaw", "kNN"):
        assert text in svg
    assert "textures" not in svg
