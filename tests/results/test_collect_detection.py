"""The collection of detection figures from invented runs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from nda.errors import CheckpointError
from nda.training.checkpoint import save_checkpoint

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def collect(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(RESULTS))
    return runpy.run_path(str(RESULTS / "collect_detection.py"))["collect"]


def invented_run(path: Path, negative: str | None, seed: int, ap: float, steps: int = 5) -> Path:
    """Of random weights where `negative` is None, of plain MoCo where it is "none"."""
    path.mkdir()
    settings = {"recipe": "detection", "seed": seed, "encoder": f"runs/{path.name}",
                "data": str(path), "out": str(path), "steps": steps}  # fmt: skip
    (path / "config.yaml").write_text(yaml.safe_dump(settings))
    metrics = [
        {"name": "coco_ap", "value": ap, "protocol": {"split": "val"}},
        {"name": "tensors_taken_over", "value": 100, "protocol": {}},
    ]
    (path / "metrics.json").write_text(json.dumps([{"step": 5, "metrics": metrics}]))
    origin = {"run": "none" if negative is None else path.name, "negative": negative or "none"}
    save_checkpoint(path / "checkpoints", 5, {"state": {"origin": origin}}, keep=1)
    return path


def test_arms_are_what_encoders_were_trained_against(collect: Any, tmp_path: Path) -> None:
    made = [("moco + jigsaw", "jigsaw", 0.3), ("moco", "none", 0.25), ("random", None, 0.1)]
    runs = [
        invented_run(tmp_path / f"{arm}-{seed}", negative, seed, ap + 0.02 * seed)
        for arm, negative, ap in made
        for seed in (0, 1)
    ]
    found = collect(runs)
    assert list(found["metrics"]) == ["coco_ap"]
    figures = found["metrics"]["coco_ap"]
    assert set(figures["arms"]) == {"random", "moco", "moco + jigsaw"}
    assert figures["arms"]["moco"]["mean"] == pytest.approx(0.26)
    differences = {name: each["mean"] for name, each in figures["differences"].items()}
    assert differences == {
        "moco - random": pytest.approx(0.15),
        "moco + jigsaw - random": pytest.approx(0.2),
        "moco + jigsaw - moco": pytest.approx(0.05),
    }
    assert found["encoders"]["moco, seed 1"]["run"] == "moco-1"
    assert found["settings"] == {"recipe": "detection", "steps": 5}


def test_unlike_runs_and_a_seed_given_twice_are_refused(collect: Any, tmp_path: Path) -> None:
    one = invented_run(tmp_path / "one", None, 0, 0.1)
    longer = invented_run(tmp_path / "longer", "none", 0, 0.1, steps=6)
    with pytest.raises(CheckpointError, match="longer has other settings than"):
        collect([one, longer])
    twice = invented_run(tmp_path / "twice", None, 0, 0.2)
    with pytest.raises(CheckpointError, match="is a second run of random with seed 0"):
        collect([one, twice])
