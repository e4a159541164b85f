"""A detector that nobody trained, calibrated on a few photographs."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from nda.data import load_images
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    save_detector,
)
from nda.training.run_folder import RunFolder

SETTINGS = DetectorSettings(
    resolution=16,
    fit="stretch",
    backbone="plain",
    width=8,
    negative="blemish",
    false_alarm_rate=0.05,
    step=7,
    data="a fingerprint",
)


@pytest.fixture
def photos(image_folder: Path, tmp_path: Path) -> Path:
    """Ten images of 32 x 32, one of another size and mode, and two that cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, path in enumerate(sorted((image_folder / "test").rglob("*.png"))[::2]):
        shutil.copy(path, folder / f"{index}.png")
    Image.new("L", (50, 20), 90).save(folder / "wide.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("no picture")
    return folder


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Path:
    """A run folder with a detector that was calibrated on the readable photos but the last two."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"recipe": "anomaly", "steps": 7}))
    save_detector(RunFolder(folder).detector_path, some_detector(photos))
    return folder


def some_detector(photos: Path) -> Detector:
    images = load_images(photos, resolution=16, fit="stretch", skip_broken=True).images
    network = build_network("plain", 8, seed=0)
    untrained = Detector(network, torch.zeros(1), SETTINGS)
    scores = untrained(images)[0]
    # Of 20 scores: all but the highest two of the photos, repeated and a little lower.
    low = scores.sort().values[:-2]
    return Detector.of(network, torch.cat([low, low - 0.1, low[:2]])[:20], SETTINGS)


def standard_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
