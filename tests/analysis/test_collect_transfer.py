"""The collection of detection and action figures from invented runs."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from nda.errors import CheckpointError
from nda.training.checkpoint import save_checkpoint

ANALYSIS = Path(__file__).parents[2] / "analysis"


@pytest.fixture
def collect(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ANALYSIS))
    return runpy.run_path(str(ANALYSIS / "collect_transfer.py"))["collect"]


def invented_run(
    path: Path,
    negative: str | None,
    seed: int,
    ap: float,
    steps: int = 5,
    recipe: str = "detection",
) -> Path:
    """Of random weights where `negative` is None, of an encoder without negatives for "none"."""
    path.mkdir()
    settings = {"recipe": recipe, "seed": seed, "encoder": f"runs/{path.name}",
                "data": str(path), "out": str(path), "steps": steps}  # fmt: skip
    (path / "config.yaml").write_text(yaml.safe_dump(settings))
    metrics = [
        {"name": "coco_ap", "value": ap, "protocol": {"split": "val"}, "table": ""},
        {"name": "tensors_taken_over", "value": 100, "protocol": {}, "table": ""},
        {"name": "cat_ap", "value": 0.5, "protocol": {}, "table": "By class"},
    ]
    metrics = [{"title": "T", "better": ""} | metric for metric in metrics]
    (path / "metrics.json").write_text(json.dumps([{"step": 5, "metrics": metrics}]))
    origin = {"run": "none" if negative is None else path.name, "negative": negative or "none"}
    save_checkpoint(
        path / "checkpoints", 5, {"config": settings, "state": {"origin": origin}}, keep=1
    )
    return path


@pytest.mark.parametrize(("recipe", "encoder"), [("detection", "moco"), ("action", "dpc")])
def test_arms_are_what_encoders_were_trained_against(
    recipe: str, encoder: str, collect: Any, tmp_path: Path
) -> None:
    arms = (f"{encoder} + jigsaw", encoder, "random")
    made = zip(arms, ("jigsaw", "none", None), (0.3, 0.25, 0.1), strict=True)
    runs = [
        invented_run(tmp_path / f"{arm}-{seed}", negative, seed, ap + 0.02 * seed, recipe=recipe)
        for arm, negative, ap in made
        for seed in (0, 1)
    ]
    found = collect(runs)
    assert list(found["metrics"]) == ["coco_ap"]
    figures = found["metrics"]["coco_ap"]
    assert set(figures["arms"]) == set(arms)
    assert figures["arms"][encoder]["mean"] == pytest.approx(0.26)
    differences = {name: each["mean"] for name, each in figures["differences"].items()}
    assert differences == {
        f"{encoder} - random": pytest.approx(0.15),
        f"{encoder} + jigsaw - random": pytest.approx(0.2),
        f"{encoder} + jigsaw - {encoder}": pytest.approx(0.05),
    }
    assert found["encoders"][f"{encoder}, seed 1"]["run"] == f"{encoder}-1"
    assert found["settings"] == {"recipe": recipe, "steps": 5}


def test_unlike_runs_and_a_seed_given_twice_are_refused(collect: Any, tmp_path: Path) -> None:
    one = invented_run(tmp_path / "one", None, 0, 0.1)
    longer = invented_run(tmp_path / "longer", "none", 0, 0.1, steps=6)
    with pytest.raises(CheckpointError, match="longer has other settings than"):
        collect([one, longer])
    twice = invented_run(tmp_path / "twice", None, 0, 0.2)
    with pytest.raises(CheckpointError, match="is a second run of random with seed 0"):
        collect([one, twice])
