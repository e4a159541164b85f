"""The matrix of ways to train: what is taken from a run and its probe, and the figure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import structure_matrix


def invented_run(
    path: Path, distance: float, nulls: float, classifier: str = "a", **of: object
) -> Path:
    path.mkdir()
    config = {"recipe": "gan", "out": str(path), "data": "d", "seed": 0, "negative": "none"} | of
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    named = {"name": "classifier_frechet", "title": "T", "better": "lower"}
    metric = named | {"value": distance, "protocol": {"classifier": classifier}}
    (path / "metrics.json").write_text(json.dumps([{"step": 7, "metrics": [metric]}]))
    above = {
        title: {"gap": 1.5, "above": share}
        for title, share in (("jigsaw", 0.9), ("rolled by 5 rows", 0.8), ("upside down", 0.7))
    }
    audit = {
        "images": 10,
        "compared": above,
        "structure_share": 0.6,
        "structure_interval": [0.5, 0.7],
        "nulls_interval": [0.1, 0.9],
    }
    audits = [
        audit | {"output": "discriminator", "nulls_above": 0.5},
        audit | {"output": "negative class", "nulls_above": nulls},
    ]
    (path / "probe.json").write_text(json.dumps({"audits": audits}))
    return path


def test_a_row_holds_the_distance_and_what_the_taught_output_knows(tmp_path: Path) -> None:
    folder = invented_run(tmp_path / "run", 3.5, 0.93, negative="jigsaw", fake_weight=0.5)
    assert structure_matrix.row(folder) == {
        "arm": "jigsaw, fake_weight 0.5",
        "seed": 0,
        "classifier_frechet": 3.5,
        "classifier": "a",
        "output": "negative class",
        "images": 10,
        "gap_jigsaw": 1.5,
        "above_jigsaw": 0.9,
        "above_rolled_5": 0.8,
        "above_upside_down": 0.7,
        "structure_share": 0.6,
        "structure_interval": [0.5, 0.7],
        "nulls_above": 0.93,
        "nulls_interval": [0.1, 0.9],
    }


def test_seeds_of_an_arm_are_one_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        invented_run(tmp_path / "a", 4.0, 0.5),
        invented_run(tmp_path / "b", 2.0, 0.9, negative="jigsaw", seed=1),
        invented_run(tmp_path / "c", 3.0, 0.7, negative="jigsaw", seed=2),
    ]
    out, picture = tmp_path / "matrix.json", tmp_path / "matrix.svg"
    words = ["structure_matrix.py", *map(str, runs), "--out", str(out), "--figure", str(picture)]
    monkeypatch.setattr(sys, "argv", words)
    structure_matrix.main()
    rows = json.loads(out.read_text())["rows"]
    assert structure_matrix.by_arm(rows) == {
        "none": (4.0, 0.5),
        "jigsaw": (2.5, pytest.approx(0.8)),
    }
    drawn = picture.read_text()
    assert "1  none" in drawn
    assert "2  jigsaw" in drawn


def test_distances_of_two_classifiers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [invented_run(tmp_path / name, 4.0, 0.5, classifier=name) for name in "ab"]
    words = ["structure_matrix.py", *map(str, runs), "--out", str(tmp_path / "matrix.json")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit, match="several classifiers"):
        structure_matrix.main()
