"""The collection of figures: means, spreads and paired differences against hand-computed ones."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

COLLECT = runpy.run_path(str(Path(__file__).parents[2] / "analysis" / "collect.py"))


def invented_run(path: Path, negative: str, seed: int, gap: float) -> Path:
    path.mkdir()
    config = {"recipe": "gan", "out": str(path), "data": "d", "seed": seed, "negative": negative}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    metric = {"name": "gap", "title": "T", "value": gap, "better": "", "protocol": {}}
    metric["protocol"] = {"split": "test split"}
    (path / "metrics.json").write_text(json.dumps([{"step": 7, "metrics": [metric]}]))
    return path


def test_runs_are_paired_by_seed(tmp_path: Path) -> None:
    values = {("jigsaw", 0): 5.0, ("none", 0): 1.0, ("none", 1): 2.0, ("jigsaw", 1): 4.0}
    folders = [invented_run(tmp_path / f"{n}{s}", n, s, v) for (n, s), v in values.items()]
    collected: dict[str, Any] = COLLECT["collect_runs"](folders)
    gap = collected["metrics"]["gap"]
    assert gap["protocol"] == {"step": 7, "split": "test split"}
    assert gap["arms"]["none"] == {
        "by_seed": {0: 1.0, 1: 2.0},
        "mean": 1.5,
        "standard_deviation": pytest.approx(0.5**0.5),
    }
    difference = gap["differences"]["jigsaw - none"]
    assert difference["mean"] == 3.0  # of 4 and 2
    # Student's 97.5 % quantile of one degree of freedom is 12.706; the error is 1.
    assert difference["interval_95"] == pytest.approx([3 - 12.706, 3 + 12.706], abs=1e-3)


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    folders = [invented_run(tmp_path / n, n, 0, v) for n, v in (("none", 1.0), ("jigsaw", 2.0))]
    gap = COLLECT["collect_runs"](folders)["metrics"]["gap"]
    assert gap["differences"]["jigsaw - none"]["interval_95"] is None
    assert gap["arms"]["none"]["standard_deviation"] is None


def test_runs_with_a_structure_head_are_an_arm_of_their_own(tmp_path: Path) -> None:
    plain = invented_run(tmp_path / "plain", "none", 0, 1.0)
    mixed = invented_run(tmp_path / "mixed", "jigsaw", 0, 2.0)
    head = invented_run(tmp_path / "head", "jigsaw", 0, 4.0)
    config = yaml.safe_load((head / "config.yaml").read_text())
    config |= {"structure_head": 1.0, "structure_generator": 0.5}
    (head / "config.yaml").write_text(yaml.safe_dump(config))
    collected: dict[str, Any] = COLLECT["collect_runs"]([plain, mixed, head])
    assert list(collected["metrics"]["gap"]["differences"]) == [
        "jigsaw - none",
        "jigsaw, structure_head 1, structure_generator 0.5 - none",
    ]
    assert "structure_head" not in collected["settings"]


def test_what_is_not_as_usual_in_the_game_names_an_arm(tmp_path: Path) -> None:
    runs = []
    for number, changes in enumerate(
        ({}, {"fake_weight": 0.5}, {"objective": "relativistic", "zero_centred_penalty": 1.0})
    ):
        runs.append(invented_run(tmp_path / str(number), "jigsaw", 0, 1.0))
        config = yaml.safe_load((runs[-1] / "config.yaml").read_text())
        (runs[-1] / "config.yaml").write_text(yaml.safe_dump(config | changes))
    collected: dict[str, Any] = COLLECT["collect_runs"](runs)
    assert list(collected["metrics"]["gap"]["arms"]) == [
        "jigsaw",
        "jigsaw, fake_weight 0.5",
        "jigsaw, relativistic, zero_centred_penalty 1",
    ]


def test_collections_of_other_seeds_are_pooled(tmp_path: Path) -> None:
    files = []
    for part, seeds in enumerate(((0, 1), (2,))):
        folders = [
            invented_run(tmp_path / f"{name}-{seed}", name, seed, value + 10 * part + seed)
            for name, value in (("none", 0.0), ("jigsaw", 3.0))
            for seed in seeds
        ]
        file = tmp_path / f"part-{part}.json"
        file.write_text(json.dumps(COLLECT["collect_runs"](folders)))
        files.append(file)
    gap = COLLECT["collect_pooled"](files)["metrics"]["gap"]
    assert gap["arms"]["none"]["by_seed"] == {0: 0.0, 1: 1.0, 2: 12.0}
    assert gap["differences"]["jigsaw - none"]["mean"] == 3.0
    assert gap["differences"]["jigsaw - none"]["seeds"] == 3
    assert [each["file"] for each in gap["protocols"]] == ["part-0.json", "part-1.json"]
    with pytest.raises(SystemExit, match=r"part-1.json has seed 2 of none once more"):
        COLLECT["collect_pooled"]([*files, files[1]])
