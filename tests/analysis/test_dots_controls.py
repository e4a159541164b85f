"""The control of the quickstart counts each run under its own negative and seed."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest
import yaml

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "analysis" / "dots_controls.py"))


def test_runs_are_counted_by_negative_and_seed(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished, other, symlinks=True)
    config = yaml.safe_load((other / "config.yaml").read_text())
    (other / "config.yaml").write_text(yaml.safe_dump(config | {"negative": "none", "seed": 9}))
    out = tmp_path / "results" / "controls.json"
    words = [str(finished), str(other), "--wanted", "0", "--images", "12", "--out", str(out)]
    SCRIPT["main"](words)
    found = json.loads(out.read_text())
    assert found["wanted"] == 0
    arms = found["arms"]
    assert set(arms) == {config["negative"], "none"}
    one, two = arms[config["negative"]][str(config["seed"])], arms["none"]["9"]
    assert one["images"] == two["images"] == 12
    assert one["exact"] == one["histogram"][0]
    assert sum(one["histogram"]) == 12
    assert f"none: 9: {two['exact'] / 12:.1%}" in capsys.readouterr().out
