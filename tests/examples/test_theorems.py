"""The script of the theorems runs as it stands and writes what it says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import theorems
import theorems_figure

KEPT = Path(__file__).parents[2] / "results" / "theorems" / "theorems.json"


def test_it_prints_a_table_and_writes_numbers_and_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure, numbers = tmp_path / "figure.svg", tmp_path / "numbers.json"
    theorems.main(["--steps", "5", "--seed", "3", "--out", str(figure), "--json", str(numbers)])
    printed = capsys.readouterr().out
    assert "Theorem 1" in printed
    assert "Theorem 2" in printed
    written = json.loads(numbers.read_text())
    assert written["settings"] == {"steps": 5, "seed": 3}
    assert written["command"].startswith("python examples/theorems.py --steps 5 --seed 3")
    drawn = figure.read_text()
    assert "Overlapping negatives" in words_of(drawn)
    again = theorems_figure.draw(written)  # of the numbers in the file
    assert words_of(again) == words_of(drawn)
    assert places_of(again) == pytest.approx(places_of(drawn), abs=0.01)  # as layout is solved


def words_of(svg: str) -> str:
    return "".join(ElementTree.fromstring(svg).itertext())


def places_of(svg: str) -> list[float]:
    """All coordinates of the paths."""
    paths = re.findall(r' d="([^"]*)"', svg)
    return [float(number) for path in paths for number in re.findall(r"-?[\d.]+", path)]


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert theorems.measure(3, 1) == theorems.measure(3, 1)


def test_the_kept_numbers_say_what_the_page_says() -> None:
    kept = json.loads(KEPT.read_text())
    rows = kept["generator"]["rows"]
    assert max(max(row["disjoint"]) for row in rows) < 1e-6
    assert max(row["error_of_closed_form"] for row in rows) < 1e-5
    assert max(row["error"] for row in kept["discriminator"]) < 1e-5
    any_negative = next(row for row in kept["codes"] if row["against"] == "any")
    assert any_negative["reached"] > 0
    assert any_negative["overlap_any"][1] < 0.01
