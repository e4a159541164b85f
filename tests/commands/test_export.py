"""`nda export`: the files it writes, and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from nda.cli import main
from nda.commands.exporting import write_scorer
from nda.data.reading.decode import Fit
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    load_detector,
    save_detector,
)
from nda.export.encoder import opened_by
from nda.recipes.encoders import open_encoder
from nda.training.run_folder import RunFolder
from tests.support.made_encoder import write_encoder_run


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


@pytest.mark.slow
@pytest.mark.parametrize(("fit", "out"), [("stretch", None), ("crop", 'mine "v2".onnx')])
def test_a_script_without_torch_gives_the_scores_of_the_command(
    run: Path, tmp_path: Path, fit: Fit, out: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    detector = load_detector(run / "detector.safetensors")
    detector.settings = dataclasses.replace(detector.settings, fit=fit)
    save_detector(run / "detector.safetensors", detector)
    path = run / (out or "detector.onnx")
    assert main(["export", str(run), "--out", str(path)]) == 0
    script = run / ("score_onnx.py" if out is None else 'score_mine "v2".py')
    assert f"{script}: scores images with it, without torch" in capsys.readouterr().out
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number, (mode, size) in enumerate([("RGB", (40, 30)), ("L", (16, 16)), ("RGB", (9, 60))]):
        shape = (*size[::-1], 3) if mode == "RGB" else size[::-1]
        picture = Image.fromarray(rng.integers(256, size=shape, dtype=np.uint8))
        picture.save(photos / f"{number}.{'jpg' if number == 0 else 'png'}")
    names = sorted(str(path) for path in photos.iterdir())
    without = "import sys, runpy; sys.modules['torch'] = sys.modules['nda'] = None; "
    run_it = f"sys.argv = sys.argv[1:]; runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", without + run_it, str(script), *names],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert main(["score", str(run), str(photos), "--out", str(tmp_path / "a.csv")]) == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    for line, row in zip(done.stdout.splitlines(), expected, strict=True):
        name, score, p_value, verdict = line.split(",")
        assert Path(name).name == row["file"]
        assert float(score) == pytest.approx(float(row["score"]), abs=1e-4)
        assert (float(p_value), verdict) == (float(row["p_value"]), row["verdict"])


@pytest.mark.slow
def test_the_script_names_files_that_it_cannot_read_and_goes_on(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert main(["export", str(run)]) == 0
    for name in ("first.png", "last.png", "cut.png"):
        Image.effect_noise((40, 30), 50).convert("RGB").save(tmp_path / name)
    Image.new("RGBA", (16, 16)).save(tmp_path / "clear.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:300])
    (tmp_path / "text.png").write_text("no picture")

    def scored(*names: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, str(run / "score_onnx.py"), *names]
        return subprocess.run(words, check=False, capture_output=True, text=True, cwd=tmp_path)

    lost = ["cut.png", "clear.png", "text.png", "absent.png"]
    found = scored("first.png", *lost, "last.png")
    assert [line.split(",")[0] for line in found.stdout.splitlines()] == ["first.png", "last.png"]
    told = found.stderr.splitlines()
    assert [line.partition(" cannot be scored: ")[0] for line in told] == lost
    assert told[1].endswith("mode RGBA; save it as RGB or grey with 8 bits")
    assert (found.returncode, scored("first.png").returncode) == (1, 0)
    nothing = scored()
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert nothing.stderr.startswith("usage: python ")


def test_safetensors_loads_again(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "mine.safetensors"
    assert main(["export", str(run), "--format", "safetensors", "--out", str(out)]) == 0
    images = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8)
    mine, theirs = load_detector(out), load_detector(run / "detector.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(mine(images), theirs(images), strict=True))


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return write_encoder_run(tmp_path / "moco")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (None, "encoder.safetensors"),
        ("timm", "encoder-timm.safetensors"),
        ("torchvision", "encoder-torchvision.pth"),
    ],
)
def test_an_encoder_is_written_with_the_lines_that_open_it(
    encoder: Path, kind: str | None, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(encoder), *(["--format", kind] if kind else [])]) == 0
    said = capsys.readouterr().out
    assert f"{encoder / name}: features of 256 images differ from the run's by at most" in said
    lines = said.partition("opens with\n\n")[2]
    assert str(encoder / name) in lines
    with torch.no_grad():
        features = opened_by(lines)(torch.zeros(2, 3, 16, 16))
        expected = open_encoder(str(encoder)).network(torch.zeros(2, 3, 16, 16))
    torch.testing.assert_close(features, expected)


def test_wrong_uses_are_refused(
    run: Path, encoder: Path, finished: Path, refusal: Callable[[list[str]], str]
) -> None:
    assert "must end in .onnx for --format onnx" in refusal(["export", str(run), "--out", "x.pt"])
    assert "must end in .pth for --format torchvision" in refusal(
        ["export", str(encoder), "--format", "torchvision", "--out", "x.safetensors"]
    )
    assert "format is 'pickle', but one of onnx, openvino, safetensors, timm, torc" in refusal(
        ["export", str(run), "--format", "pickle"]
    )
    assert (
        "a run of anomaly: its detector can be written as onnx, openvino, safetensors."
        in refusal(["export", str(run), "--format", "timm"])
    )
    assert "must end in .xml for --format openvino" in refusal(
        ["export", str(run), "--format", "openvino", "--out", "x.onnx"]
    )
    (run / "mine.bin").write_bytes(b"weights of another")
    said = refusal(["export", str(run), "--format", "openvino", "--out", str(run / "mine.xml")])
    assert "mine.bin exists already and would be lost" in said
    openvino = ["export", str(run), "--format", "openvino", "--overwrite", "--out"]
    said = refusal([*openvino, str(run / ".xml")])
    assert "must end in .xml for --format openvino, after a name" in said
    for folder in ("whole.xml", "weights.bin"):
        (run / folder).mkdir()
        said = refusal([*openvino, str((run / folder).with_suffix(".xml"))])
        assert f"{folder} is a folder, and a file is to be written there; move it." in said
    assert not (run / "whole.bin").exists()
    assert "a run of moco: its encoder can be written as safetensors, timm, torch" in refusal(
        ["export", str(encoder), "--format", "onnx"]
    )
    said = refusal(["export", str(finished)])
    assert "is a run of gan, of which there is nothing to export; give a run of anomaly" in said
    assert "is not a run folder" in refusal(["export", str(run.parent)])


def test_a_script_of_the_users_stays(tmp_path: Path) -> None:
    script = tmp_path / "score_onnx.py"
    script.write_text("print('mine')")
    assert "is there and not ours" in write_scorer(tmp_path / "detector.onnx")
    assert script.read_text() == "print('mine')"
    script.unlink()
    for _ in range(2):
        assert "scores images with it" in write_scorer(tmp_path / "detector.onnx")
