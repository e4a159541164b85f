"""The collection of MoCo runs and their probes, and the figure of cosines, from invented runs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from nda.errors import ConfigError

ANALYSIS = Path(__file__).parents[2] / "analysis"
PLAIN = {"negative": "none", "negative_weight": 1.0, "joint_forward": True, "width": 8}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    return runpy.run_path(str(ANALYSIS / "collect_moco.py"))


def written(path: Path, config: dict[str, Any], metrics: dict[str, float]) -> Path:
    path.mkdir()
    (path / "config.yaml").write_text(yaml.safe_dump({"out": str(path)} | config))
    protocol = {"split": "test", "encoder_step": path.name}
    common = {"title": "T", "better": "", "protocol": protocol}
    rows = [common | {"name": n, "value": v, "table": ""} for n, v in metrics.items()]
    rows.append(common | {"name": "of a class", "value": 1.0, "table": "classes"})
    histogram: dict[str, Any] = {"title": "Cosines", "axis": "cosine", "protocol": {}}
    histogram |= {"edges": [0.0, 0.5, 1.0], "series": {"negative": [3, 4], "two views": [0, 7]}}
    (path / "log.jsonl").write_text("".join(f'{{"step": {i}, "loss": {i}.0}}\n' for i in range(8)))
    cosines = [histogram | {"name": f"{of}cosine_jigsaw"} for of in ("", "head_")]
    evaluation = {"step": 7, "metrics": rows, "histograms": cosines}
    (path / "metrics.json").write_text(json.dumps([evaluation]))
    return path


def invented(folder: Path) -> tuple[list[Path], list[Path]]:
    """Plain and jigsaw with two seeds each, one with another weight; their probes."""
    runs, probes = [], []
    for name, changes, seed, knn in (
        ("j0", {"negative": "jigsaw"}, 0, 0.5),
        ("j1", {"negative": "jigsaw"}, 1, 0.7),
        ("n0", {}, 0, 0.4),
        ("n1", {}, 1, 0.5),
        ("w0", {"negative": "jigsaw", "negative_weight": 64.0, "joint_forward": False}, 0, 0.6),
    ):
        config = PLAIN | {"recipe": "moco", "seed": seed} | changes
        runs.append(written(folder / name, config, {"knn_top1": knn}))
        about = {"recipe": "linear_probe", "encoder": str(folder / name), "seed": 0}
        probes.append(written(folder / f"probe-{name}", about, {"linear_top1": knn + 0.1}))
    return runs, probes


def test_arms_are_paired_by_seed_and_probes_count_for_their_encoders(
    tmp_path: Path, script: dict[str, Any]
) -> None:
    found = script["collect"](*invented(tmp_path))
    assert found["settings"]["width"] == 8
    assert found["metrics"].keys() == {"training_loss", "knn_top1", "probe_linear_top1"}
    assert found["metrics"]["training_loss"]["arms"]["none"]["mean"] == 5  # of 3 to 7
    knn = found["metrics"]["knn_top1"]
    assert next(iter(knn["arms"])) == "none"
    assert knn["arms"].keys() == {"none", "jigsaw", "jigsaw, weight 64, separate forward"}
    assert knn["protocol"] == {"step": 7, "split": "test"}
    assert knn["differences"]["jigsaw - none"]["mean"] == pytest.approx(0.15)
    linear = found["metrics"]["probe_linear_top1"]
    assert linear["arms"]["jigsaw"]["by_seed"] == pytest.approx({0: 0.6, 1: 0.8})


def test_the_figure_has_a_panel_an_arm(tmp_path: Path, script: dict[str, Any]) -> None:
    runs, _ = invented(tmp_path)
    svg = script["cosine_figure"](runs, 0)
    arms = ("without negatives", "with jigsaw", "separate forward")
    for words in (*arms, "features", "after the head", "cosine"):
        assert words in svg
    assert svg.index("without negatives") < svg.index("with jigsaw")


def test_what_does_not_belong_together_is_refused(tmp_path: Path, script: dict[str, Any]) -> None:
    runs, probes = invented(tmp_path)
    other = written(tmp_path / "o", PLAIN | {"width": 16, "recipe": "moco", "seed": 3}, {})
    with pytest.raises(ConfigError, match="has other settings than"):
        script["collect"]([*runs, other], [])
    with pytest.raises(ConfigError, match="probes j0, which is not among --runs"):
        script["collect"](runs[1:], probes[:1])
    (other / "metrics.json").unlink()
    with pytest.raises(ConfigError, match="has not been evaluated"):
        script["collect"]([other], [])
