"""The control of the check: a seam, structure whole."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import write_split

SCRIPT = Path(__file__).parents[2] / "analysis" / "check_controls.py"


def test_it_is_judged_as_any_negative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_split(tmp_path / "images", 60, size=32)
    out = tmp_path / "controls.json"
    words = [str(SCRIPT), str(tmp_path / "images"), "--out", str(out), "--steps", "1"]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    found = json.loads(out.read_text())
    assert found["images"] == {"learned_from": 96, "held_out": 24}
    assert 0 <= found["local"]["value"] <= 1
    assert found["verdict"]


def test_its_negative_is_replayed_from_its_draw() -> None:
    negative = runpy.run_path(str(SCRIPT))["MovedQuadrants"]()
    x = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    params = negative.draw(x, torch.Generator().manual_seed(0))
    made = negative.replay(x, params)
    assert torch.equal(made, negative.replay(x, params))
    assert all(not torch.equal(a, b) for a, b in zip(x, made, strict=True))
