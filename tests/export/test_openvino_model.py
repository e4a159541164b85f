"""OpenVINO's scores are PyTorch's, from the files as they lie there; what differs is not kept."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nda.cli import main
from nda.errors import ConfigError
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    save_detector,
)
from nda.export.detector import TOLERANCE, ExportError, Parity
from nda.export.openvino_model import EXACT, export_openvino, openvino_runtime

SETTINGS = DetectorSettings(16, "stretch", "plain", 8, "blemish", 0.05, 3, "fingerprint")


@pytest.fixture
def detector() -> Detector:
    network = build_network("plain", 8, seed=1).eval()
    torch.nn.init.normal_(network.out.weight, generator=torch.Generator().manual_seed(0))
    return Detector(network, torch.linspace(-6, 6, 60), SETTINGS)


HERE = pytest.mark.skipif(find_spec("openvino") is None, reason="no OpenVINO is here")


@HERE
@pytest.mark.slow
def test_scores_are_pytorchs_for_any_number_of_images(
    detector: Detector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    openvino = openvino_runtime()
    pytest.importorskip("onnxscript")
    save_detector(tmp_path / "parts.safetensors", detector)
    assert main(["export", str(tmp_path / "parts.safetensors"), "--format", "openvino"]) == 0
    assert "scores of 256 images differ from PyTorch's by at most" in capsys.readouterr().out
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"parts.safetensors", "detector.xml", "detector.bin"}
    core = openvino.Core()
    model = core.read_model(tmp_path / "detector.xml")
    assert model.get_rt_info(["nda", "resolution"]).astype(str) == "16"
    compiled = core.compile_model(model, "CPU", EXACT)
    for count in (1, 5):
        images = torch.randint(256, (count, 3, 16, 16), dtype=torch.uint8)
        found = compiled([images.numpy()])
        for name, ours in zip(("scores", "p_values", "maps"), detector(images), strict=True):
            theirs = torch.from_numpy(found[name].copy())
            torch.testing.assert_close(theirs, ours, atol=TOLERANCE, rtol=TOLERANCE)


@HERE
@pytest.mark.slow
def test_nothing_is_left_of_one_that_differs(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(
        "nda.export.openvino_model.openvino_scorer",
        lambda path: lambda images: (torch.zeros(len(images)), torch.ones(len(images))),
    )
    with pytest.raises(ExportError):
        export_openvino(detector, tmp_path / "detector.xml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stopped_at", [1, 2])
def test_a_kill_between_the_two_files_leaves_no_pair_of_two_exports(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: int
) -> None:
    pretend_openvino(monkeypatch)
    path, weights = tmp_path / "detector.xml", tmp_path / "detector.bin"
    export_openvino(detector, path)
    first = path.read_bytes(), weights.read_bytes()
    export_openvino(detector, path)
    assert (path.read_bytes(), weights.read_bytes()) != first
    real, calls = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == stopped_at:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        export_openvino(detector, path)
    assert [each.name for each in tmp_path.iterdir()] == ["detector.bin"]
    monkeypatch.setattr(Path, "replace", real)
    export_openvino(detector, path)
    assert path.read_bytes().replace(b"model", b"weights") == weights.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def pretend_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that say of which export they are, in place of OpenVINO's, which take seconds."""
    numbers = itertools.count()

    def save_model(_: Any, path: Path, *, compress_to_fp16: bool) -> None:
        assert not compress_to_fp16
        number = next(numbers)
        path.write_text(f"model {number}")
        path.with_suffix(".bin").write_text(f"weights {number}")

    model = SimpleNamespace(set_rt_info=lambda *_: None)
    core = SimpleNamespace(read_model=lambda _: model)
    fake = SimpleNamespace(Core=lambda: core, save_model=save_model)
    where = "nda.export.openvino_model."
    monkeypatch.setattr(where + "openvino_runtime", lambda: fake)
    monkeypatch.setattr(where + "onnx_model", lambda *_: b"")
    monkeypatch.setattr(where + "openvino_scorer", lambda _: lambda images: images)
    monkeypatch.setattr(where + "compare", lambda *_: Parity(256, 0.0))


def test_without_the_extra_it_says_which(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match=r"pip install 'nda-torch\[openvino\]'"):
        export_openvino(detector, tmp_path / "detector.xml")


@HERE
def test_it_asks_nobody_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Abs", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "graph", [value], [out])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "abs.onnx")
    home = tmp_path / "home"
    home.mkdir()
    lines = (
        "import socket, subprocess, sys\n"
        "def refuse(*_, **__): raise SystemExit('it went out')\n"
        "from nda.export.openvino_model import openvino_runtime\n"
        "socket.socket.connect = socket.getaddrinfo = subprocess.Popen = refuse\n"
        "openvino = openvino_runtime()\n"
        "model = openvino.Core().read_model('abs.onnx')\n"
        "openvino.save_model(model, 'abs.xml', compress_to_fp16=False)\n"
        "openvino.Core().compile_model('abs.xml', 'CPU')\n"
    )
    told = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, env=told, check=True, timeout=300)
    assert (tmp_path / "abs.bin").exists()
    assert not [path for path in home.rglob("*") if path.is_file()]
