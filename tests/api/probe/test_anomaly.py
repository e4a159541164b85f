"""`nda probe` of a run of anomaly: how much higher the negatives score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from nda.cli import main
from nda.data.images.image_set import to_float
from nda.data.images.load import load_images
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    load_detector,
    save_detector,
)
from nda.negatives import negative_from_name
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder

Refusal = Callable[[list[str]], str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's default place is the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def anomaly_run(image_folder: Path, tmp_path: Path) -> Path:
    """A run of anomaly with an untrained detector for images of 16 pixels, stretched to it."""
    folder = tmp_path / "anomaly"
    folder.mkdir()
    settings = {"recipe": "anomaly", "data": str(image_folder), "negative": "jigsaw"}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    about = DetectorSettings(
        resolution=16,
        fit="stretch",
        backbone="plain",
        width=8,
        negative="jigsaw",
        false_alarm_rate=0.05,
        step=7,
        data="a fingerprint",
    )
    detector = Detector(build_network("plain", 8, seed=0), torch.zeros(1), about)
    save_detector(RunFolder(folder).detector_path, detector)
    return folder


def test_an_anomaly_run_is_measured_by_how_much_higher_the_negative_scores(
    anomaly_run: Path, tmp_path: Path
) -> None:
    """On wide pictures, which its own fit brings to its size; against its scores one by one."""
    (tmp_path / "wide").mkdir()
    for index in range(6):
        pixels = torch.randint(256, (20, 50, 3), generator=torch.Generator().manual_seed(index))
        picture = Image.fromarray(pixels.to(torch.uint8).numpy())
        picture.save(tmp_path / "wide" / f"{index}.png")
    words = ["--negatives", "jigsaw", "--seed", "5", "--json", "figures.json"]
    assert main(["probe", str(anomaly_run), str(tmp_path / "wide"), *words]) == 0
    found = json.loads(Path("figures.json").read_text())
    figures = {metric["name"]: metric["value"] for metric in found["metrics"]}

    detector = load_detector(anomaly_run / "detector.safetensors")
    images = load_images(tmp_path / "wide", resolution=16, fit="stretch").images
    images = images[torch.randperm(6, generator=generator_for(5, purpose="probe images"))]
    jigsaw = negative_from_name("jigsaw")
    negatives = jigsaw(to_float(images), generator=generator_for(5, purpose="probe"))
    own, other = (
        [float(detector.network(x[None]).max()) for x in some]
        for some in (to_float(images), negatives)
    )
    gaps = [b - a for a, b in zip(own, other, strict=True)]
    assert figures["gap_jigsaw"] == pytest.approx(sum(gaps) / 6, abs=1e-6)
    assert figures["gap_positive_jigsaw"] == sum(gap > 0 for gap in gaps) / 6
    assert found["protocol"]["step"] == 7
    assert "D(x) is minus the outlier score" in " ".join(found["notes"])


def test_the_resolution_of_an_anomaly_run(
    anomaly_run: Path, image_folder: Path, refusal: Refusal
) -> None:
    said = refusal(["probe", str(anomaly_run), str(image_folder), "--resolution", "32"])
    assert f"resolution is 32, but {anomaly_run} takes images of 16 pixels" in said


def test_an_anomaly_run_without_a_detector(
    anomaly_run: Path, image_folder: Path, refusal: Refusal
) -> None:
    (anomaly_run / "detector.safetensors").unlink()
    said = refusal(["probe", str(anomaly_run), str(image_folder)])
    assert f"{anomaly_run} has not been calibrated yet" in said
