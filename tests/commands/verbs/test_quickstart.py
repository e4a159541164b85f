"""`nda quickstart`: two runs side by side, counted and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nda.cli import main
from nda.training.run_folder import RunFolder


@pytest.mark.slow
def test_from_nothing_to_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "quick"
    words = ["quickstart", "--out", str(folder), "--steps", "20", "--count", "50"]
    assert main(words) == 0
    out = capsys.readouterr().out
    figures = json.loads((folder / "quickstart.json").read_text())
    assert [row["title"] for row in figures["measured"]] == [
        "without NDA",
        "with NDA",
        "real images",
    ]
    for row in figures["measured"]:
        assert row["images"] == sum(row["histogram"]) == 50
        assert row["title"] in out
    real = figures["measured"][2]
    assert real["exact"] >= 49  # the counter is nearly always right on real images
    assert figures["command"] == "nda quickstart --seed 0 --steps 20 --count 50"
    assert "Four dots, without and with negatives" in (folder / "comparison.html").read_text()
    for name, negative in (("without", "none"), ("with", "data")):
        run = RunFolder.open(folder / name)
        assert run.config()["negative"] == negative
        assert [each["step"] for each in run.evaluations()] == [20]
        first, *_ = run.evaluations()[0]["metrics"]
        counted = figures["measured"][name == "with"]
        assert first["name"] == "generated_exact"
        assert first["value"] == counted["exact"] / counted["images"]
        assert first["interval"] == counted["interval"]
        page = (folder / name / "report.html").read_text()
        opening = page.split('class="opening">')[1].split("</p>")[0]
        assert opening.startswith("Share of generated images with exactly 4 objects:")
        assert page.index("<h3>Numbers of objects") < page.index("Gap D(x)")

    times = [(folder / name / "metrics.json").stat().st_mtime_ns for name in ("without", "with")]
    assert main(words) == 0  # what is complete is not trained again
    again = [(folder / name / "metrics.json").stat().st_mtime_ns for name in ("without", "with")]
    assert times == again
    assert json.loads((folder / "quickstart.json").read_text()) == figures

    assert main(["quickstart", "--out", str(folder), "--seed", "1"]) == 2
    assert "holds a quickstart of seed 0, not 1; give --seed 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "0"], "steps is 0; it must be at least 1."),
        (["--count", "1"], "count is 1; it must be at least 2."),
        (["--seed", "-1"], "seed is -1; it must be at least 0."),
        (["--step_count", "5"], "There is no setting 'step_count'"),
    ],
)
def test_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["quickstart", "--out", str(tmp_path / "quick"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "quick").exists()
