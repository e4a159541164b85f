"""`nda export`: the files it writes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from nda.cli import main
from nda.evaluation.detector import (
    Detector,
    DetectorSettings,
    build_network,
    load_detector,
    save_detector,
)
from nda.training.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"recipe": "anomaly"}))
    settings = DetectorSettings(16, "stretch", "plain", 8, "blemish", 0.05, 3, "fingerprint")
    detector = Detector(build_network("plain", 8), torch.linspace(-5, -3, 30), settings)
    save_detector(RunFolder(folder).detector_path, detector)
    return folder


@pytest.mark.slow
def test_onnx_scores_are_pytorchs(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert main(["export", str(run)]) == 0
    assert "scores of 256 images differ from PyTorch's by at most" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(str(run / "detector.onnx"))
    images = torch.randint(256, (5, 3, 16, 16), dtype=torch.uint8)
    scores, p_values, maps = session.run(None, {"images": images.numpy()})
    expected = load_detector(run / "detector.safetensors")(images)
    for theirs, ours in zip((scores, p_values, maps), expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(theirs), ours, atol=1e-4, rtol=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert (about["resolution"], about["fit"], about["false_alarm_rate"]) == (
        "16", "stretch", "0.05",
    )  # fmt: skip


def test_safetensors_loads_again(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "mine.safetensors"
    assert main(["export", str(run), "--format", "safetensors", "--out", str(out)]) == 0
    images = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8)
    mine, theirs = load_detector(out), load_detector(run / "detector.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(mine(images), theirs(images), strict=True))


def test_wrong_uses_are_refused(
    run: Path, finished: Path, refusal: Callable[[list[str]], str]
) -> None:
    assert "must end in .onnx for --format onnx" in refusal(["export", str(run), "--out", "x.pt"])
    assert "format is 'pickle', but one of onnx, safetensors was expected" in refusal(
        ["export", str(run), "--format", "pickle"]
    )
    assert "is a run of gan" in refusal(["export", str(finished)])
    assert "is not a run folder" in refusal(["export", str(run.parent)])
