"""The comparison that every export must pass: it lets equal scorers through, and no others."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nda.errors import ConfigError
from nda.evaluation.outliers.detector import Detector, DetectorSettings, build_network
from nda.export.detector import (
    IMAGES,
    TOLERANCE,
    ExportError,
    compare,
    compared_images,
    export_onnx,
    export_safetensors,
)
from tests.support.processes import PATIENCE

SETTINGS = DetectorSettings(16, "stretch", "plain", 8, "blemish", 0.05, 3, "fingerprint")


@pytest.fixture
def detector() -> Detector:
    network = build_network("plain", 8, seed=1).eval()
    torch.nn.init.normal_(network.out.weight, generator=torch.Generator().manual_seed(0))
    detector = Detector(network, torch.zeros(60), SETTINGS)
    with torch.no_grad():
        scores = detector(compared_images(16))[0]
    between = scores.sort().values.unfold(0, 2, 4).mean(dim=1)
    return Detector(network, between, SETTINGS)


def changed(
    detector: Detector, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The detector as an exported file that is not quite right would be."""

    def score(images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            scores, rarity, _ = detector(images)
        return change(scores, rarity)

    return score


def test_equal_scorers_pass(detector: Detector) -> None:
    same = compare(detector, changed(detector, lambda s, p: (s, p)))
    assert (same.images, same.largest_difference) == (IMAGES, 0)
    near = compare(detector, changed(detector, lambda s, p: (s * (1 + TOLERANCE / 4), p)))
    assert 0 < near.largest_difference <= TOLERANCE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, p: (s + 0.01, p), "the exported scores differ from PyTorch's by"),
        (lambda s, p: (s * float("nan"), p), "the exported scores differ from PyTorch's by nan"),
        (lambda s, p: (s, p + 0.1), "the exported file gives other p-values"),
    ],
)
def test_other_scorers_do_not(
    detector: Detector, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], said: str
) -> None:
    with pytest.raises(ExportError, match=said):
        compare(detector, changed(detector, change))


def test_images_are_of_many_grains() -> None:
    images = compared_images(32)
    assert images.shape == (IMAGES, 3, 32, 32)
    steps = images.float().diff(dim=-1).abs().mean(dim=(1, 2, 3)).view(4, -1).mean(dim=1)
    assert bool((steps.diff() < 0).all())  # each quarter smoother than the one before


def test_nothing_is_left_of_an_export_that_differs(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: Path) -> Detector:
        del path
        others = copy.deepcopy(detector)
        for parameter in others.network.parameters():
            torch.nn.init.ones_(parameter)
        return others

    monkeypatch.setattr("nda.export.detector.load_detector", load)
    with pytest.raises(ExportError):
        export_safetensors(detector, tmp_path / "detector.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_runtime_writes_no_id_of_the_device(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    told = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    del told["ORT_DISABLE_TELEMETRY"]
    lines = "from nda.export.detector import onnx_runtime; onnx_runtime()"
    subprocess.run([sys.executable, "-c", lines], env=told, check=True, timeout=PATIENCE)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_the_extra_it_says_which(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install 'nda-torch\[export\]'"):
        export_onnx(detector, tmp_path / "detector.onnx")
