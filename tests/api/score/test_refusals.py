"""What `nda score` refuses, each with its sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nda.cli import main
from nda.evaluation.outliers.detector import (
    load_detector,
    save_detector,
)
from tests.api.score.conftest import standard_input

Refusal = Callable[[list[str]], str]


def test_a_rate_that_cannot_be_promised_is_refused(
    run: Path, photos: Path, refusal: Refusal, tmp_path: Path
) -> None:
    words = ["score", str(run), str(photos), "--out", str(tmp_path / "s.csv")]
    said = refusal([*words, "--false_alarm_rate", "0.01"])
    assert "A false-alarm rate of 0.01 needs at least 99 normal images" in said
    assert "there are 20" in said
    assert "must lie between 0 and 1" in refusal([*words, "--false_alarm_rate", "1.5"])
    assert not (tmp_path / "s.csv").exists()


def test_scores_that_are_not_finite_are_refused(
    run: Path, photos: Path, refusal: Refusal, tmp_path: Path
) -> None:
    detector = load_detector(run / "detector.safetensors")
    with torch.no_grad():
        next(detector.network.parameters()).fill_(float("nan"))
    save_detector(run / "detector.safetensors", detector)
    said = refusal(["score", str(run), str(photos), "--out", str(tmp_path / "s.csv")])
    assert "scores that are not finite" in said
    assert list(tmp_path.glob("*.csv*")) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "scores.txt"], "--out scores.txt must end in .csv"),
        (["--html", "page"], "--html page must end in .html"),
        (["--batch_size", "0"], "batch_size is 0; it must be at least 1"),
        (["--device", "tpu"], "--device tpu is not known"),
    ],
)
def test_wrong_options_are_refused(
    run: Path, photos: Path, refusal: Refusal, words: list[str], expected: str
) -> None:
    assert expected in refusal(["score", str(run), str(photos), *words])


def test_what_is_no_anomaly_run_is_refused(
    run: Path, photos: Path, finished: Path, refusal: Refusal, tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "s.csv")]
    assert "is a run of gan, and images are scored by a run of anomaly" in refusal(
        ["score", str(finished), str(photos), *out]
    )
    assert "is not a run folder" in refusal(["score", str(tmp_path), str(photos), *out])
    (run / "detector.safetensors").write_bytes(b"{}")
    assert "is damaged or no detector" in refusal(["score", str(run), str(photos), *out])
    (run / "detector.safetensors").unlink()
    assert "has not been calibrated yet. Finish it with 'nda resume" in refusal(
        ["score", str(run), str(photos), *out]
    )


def test_sources_without_images_are_refused(
    run: Path, refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ["--out", str(tmp_path / "s.csv")]
    empty = tmp_path / "none"
    empty.mkdir()
    assert "holds no images" in refusal(["score", str(run), str(empty), *out])
    assert "There is no" in refusal(["score", str(run), str(tmp_path / "nowhere"), *out])
    assert "cannot be scored" in refusal(["score", str(run), "torchvision:CIFAR10", *out])
    standard_input(monkeypatch, "")
    assert "- names no images" in refusal(["score", str(run), "-", *out])
    assert not (tmp_path / "s.csv").exists()


def test_videos_are_refused_with_what_takes_them(
    run: Path, refusal: Refusal, tmp_path: Path
) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp4").write_bytes(b"a video")
    for source in (tmp_path / "clips", tmp_path / "clips" / "a.mp4"):
        said = refusal(["score", str(run), str(source), "--out", str(tmp_path / "s.csv")])
        assert f"{source} holds videos, and {run} takes images. Give images, or a run of" in said


def test_heat_maps_among_the_images_are_refused(
    run: Path, photos: Path, tmp_path: Path, refusal: Callable[[list[str]], str]
) -> None:
    before = sorted(photos.rglob("*"))
    words = ["score", str(run), str(photos), "--out", str(tmp_path / "s.csv")]
    assert "lies within" in refusal([*words, "--heatmaps", str(photos)])
    assert sorted(photos.rglob("*")) == before


def test_two_limits_at_once_are_refused(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--threshold", "1", "--false_alarm_rate", "0.1", "--out", str(tmp_path / "a.csv")]
    assert main(["score", str(run), str(photos), *words]) == 2
    assert "give one of them" in capsys.readouterr().err
