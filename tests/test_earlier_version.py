"""A run that version 0.1.0 wrote before its files moved: it resumes, evaluates and reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nda
from nda.cli import main

EARLIER = Path(__file__).parent / "fixtures" / "run_of_0_1_0"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run beside its data, as config.yaml has them: relative to where one stands."""
    shutil.copytree(EARLIER, tmp_path / "earlier", symlinks=True)
    monkeypatch.chdir(tmp_path / "earlier")
    return tmp_path / "earlier" / "run"


def rows(path: Path) -> list[dict[str, float]]:
    """The losses and outputs of a log: what does not depend on the machine's speed."""
    clocks = {"seconds", "images_per_second", "peak_memory_mib"}
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{name: row[name] for name in row if name not in clocks} for row in found]


def test_it_goes_on_as_the_version_that_wrote_it_did(run: Path) -> None:
    assert main(["resume", str(run), "--steps", "8"]) == 0
    for row, expected in zip(
        rows(run / "log.jsonl"), rows(EARLIER / "log-of-8-steps.jsonl"), strict=True
    ):
        # Bit for bit on the processor that wrote it; others sum in another order.
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert (run / "report.html").is_file()


def test_it_is_measured_and_sampled(run: Path, tmp_path: Path) -> None:
    assert main(["evaluate", str(run)]) == 0
    (before,) = json.loads((EARLIER / "run" / "metrics.json").read_text(encoding="utf-8"))
    (now,) = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    values = {metric["name"]: metric["value"] for metric in now["metrics"]}
    for metric in before["metrics"]:
        if metric["name"].startswith("gap"):
            assert values[metric["name"]] == pytest.approx(metric["value"], abs=1e-3)
    assert main(["sample", str(run), "--count", "4", "--out", str(tmp_path / "four.png")]) == 0


def test_its_detector_gives_the_scores_it_gave() -> None:
    expected = json.loads((EARLIER / "scores.json").read_text(encoding="utf-8"))
    images = torch.stack(
        [
            torch.from_numpy(np.array(Image.open(EARLIER / "data" / name))).permute(2, 0, 1)
            for name in expected["images"]
        ]
    )
    scores, p_values, _ = nda.load_detector(EARLIER / "detector.safetensors")(images)
    assert scores.tolist() == pytest.approx(expected["scores"], abs=1e-4)
    assert p_values.tolist() == pytest.approx(expected["p_values"])
