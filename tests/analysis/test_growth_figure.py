"""The figure of growth has a panel for each thing that grows, with the slopes of its lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import growth_figure


def figures() -> list[dict[str, object]]:
    series = [(part, name) for part in growth_figure.PANELS for name in ("copy", "jigsaw")]
    return [
        {
            "with": part,
            "name": name,
            "sizes": [2, 4, 8],
            "seconds": [1e-3, 2e-3, 4e-3],
            "slope": 1.0,
        }
        for part, name in series
    ]


def test_every_panel_is_drawn_with_its_slopes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "all.json", tmp_path / "growth.svg"
    source.write_text(json.dumps({"negatives": {"growth": figures()}}), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["growth_figure.py", str(source), "--out", str(out)])
    growth_figure.main()
    drawn = out.read_text(encoding="utf-8")
    assert all(title in drawn for title in growth_figure.PANELS.values())
    assert drawn.count("1.00  jigsaw") == drawn.count("1.00  copy") == len(growth_figure.PANELS)
    assert "$" not in drawn  # no formula is left as it was typed
