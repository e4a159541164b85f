"""`nda score` once more: nothing is overwritten unasked, and what was cut off goes on."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from nda.api.score import spread as scoring
from nda.api.score.batches import score_batch
from nda.cli import main
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    save_detector,
)
from nda.runtime.locks import lock
from nda.training.run_folder import RunFolder

Refusal = Callable[[list[str]], str]
SETTINGS = DetectorSettings(16, "stretch", "plain", 8, "blemish", 0.05, 3, "fingerprint")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"recipe": "anomaly"}))
    network = build_network("plain", 8)
    save_detector(
        RunFolder(folder).detector_path, Detector(network, torch.linspace(-5, 5, 30), SETTINGS)
    )
    return folder


@pytest.fixture
def photos(image_folder: Path, tmp_path: Path) -> Path:
    """Seven images with names as nobody wants them, and one that cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    names = ["=1+1", "-2", "@SUM(A1)", 'a\nb,"c"', "n" * 240, "plain", "x\x1b[2J"]
    for name, path in zip(names, sorted((image_folder / "test").rglob("*.png")), strict=False):
        shutil.copy(path, folder / f"{name}.png")
    (folder / "empty.png").touch()
    return folder


def words(run: Path, photos: Path, out: Path) -> list[str]:
    return ["score", str(run), str(photos), "--out", str(out), "--batch_size", "2"]


def cut_off_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Let Ctrl-C come after so many batches."""
    inner, count = score_batch, 0

    def stopping(*given: Any) -> Iterator[Any]:
        nonlocal count
        count += 1
        if count > batches:
            raise KeyboardInterrupt
        return inner(*given)

    monkeypatch.setattr(scoring, "score_batch", stopping)


def test_a_table_is_replaced_only_where_that_is_asked_for(
    run: Path, photos: Path, tmp_path: Path, refusal: Refusal
) -> None:
    out, page, heat = tmp_path / "s.csv", tmp_path / "s.html", tmp_path / "heat"
    everything = [*words(run, photos, out), "--html", str(page), "--heatmaps", str(heat)]
    assert main(everything) == 0
    before = out.read_text()
    assert f"--out {out} exists already and would be lost" in refusal(words(run, photos, out))
    other = words(run, photos, tmp_path / "t.csv")
    assert "--html" in refusal([*other, "--html", str(page)])
    assert "--heatmaps" in refusal([*other, "--heatmaps", str(heat)])
    assert "give one of them" in refusal([*everything, "--overwrite", "--resume"])
    assert main([*everything, "--overwrite"]) == 0
    assert out.read_text() == before


@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--resume"]])
def test_a_table_that_is_being_written_is_left_alone(
    more: list[str], run: Path, photos: Path, tmp_path: Path, refusal: Refusal
) -> None:
    out = tmp_path / "s.csv"
    part = Path(f"{out}.part")
    with part.open("wb") as other:
        lock(other)
        other.write(b"rows of another")
        other.flush()
        said = refusal([*words(run, photos, out), *more])
        assert f"{out} is being written by another scoring; wait until that has ended" in said
    assert part.read_bytes() == b"rows of another"


def test_heat_maps_are_drawn_of_all_rows_or_of_none(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    out = tmp_path / "s.csv"
    with monkeypatch.context() as patch:
        cut_off_after(patch, 2)
        assert main(words(run, photos, out)) == 130
    said = refusal([*words(run, photos, out), "--resume", "--heatmaps", str(tmp_path / "heat")])
    assert "was begun with heat maps None, which is drawn now" in said


@pytest.mark.parametrize("torn", [b"", b"half a ro", b'"a name\n'])
def test_a_scoring_that_was_cut_off_goes_on(
    torn: bytes, run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], refusal: Refusal,
) -> None:  # fmt: skip
    whole, out = tmp_path / "whole.csv", tmp_path / "s.csv"
    page, heat = tmp_path / "s.html", tmp_path / "heat"
    assert main(words(run, photos, whole)) == 0
    everything = [*words(run, photos, out), "--html", str(page), "--heatmaps", str(heat)]
    with monkeypatch.context() as patch:
        cut_off_after(patch, 2)
        assert main(everything) == 130
    assert f"4 rows are kept in {out}.part" in capsys.readouterr().err
    assert not out.exists()
    part = Path(f"{out}.part")
    with part.open("ab") as file:
        file.write(torn)

    assert "give --resume to go on with it, --overwrite to begin anew" in refusal(everything)
    said = refusal([*everything, "--resume", "--false_alarm_rate", "0.2"])
    assert "begun with false-alarm rate 0.05, which is 0.2 now" in said
    with monkeypatch.context() as patch:
        cut_off_after(patch, 1)
        assert main([*everything, "--resume"]) == 130
    assert "6 rows are kept" in capsys.readouterr().err
    assert main([*everything, "--resume"]) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert not part.exists()
    assert len([path for path in heat.rglob("*") if path.is_file()]) == 7
    assert page.read_text().count('alt="heat of') == 7


def test_kept_rows_of_other_images_are_refused(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    out = tmp_path / "s.csv"
    with monkeypatch.context() as patch:
        cut_off_after(patch, 1)
        assert main(words(run, photos, out)) == 130
    Image.new("RGB", (8, 8)).save(photos / "+first.png")
    assert "they are others than before" in refusal([*words(run, photos, out), "--resume"])
    Path(f"{out}.part").write_bytes(b"\x00\x00")
    assert "is damaged; give --overwrite" in refusal([*words(run, photos, out), "--resume"])
    assert main([*words(run, photos, out), "--overwrite"]) == 0


def test_names_as_nobody_wants_them_are_scored(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, heat = tmp_path / "s.csv", tmp_path / "heat"
    assert main([*words(run, photos, out), "--heatmaps", str(heat)]) == 0
    with out.open(newline="", encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    assert len(names) == 8
    assert not [name for name in names if name.startswith(("=", "+", "-", "@"))]
    assert all((photos / name).exists() for name in names)  # still paths of the files
    assert len([path for path in heat.iterdir() if path.is_file()]) == 7
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err


def test_a_picture_that_cannot_be_named_costs_the_picture_alone(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "plain.png.png").mkdir()
    shutil.copy(photos / "plain.png", photos / "plain.png.png" / "inner.png")
    assert main([*words(run, photos, tmp_path / "s.csv"), "--heatmaps", str(tmp_path / "h")]) == 0
    assert "1 heat map could not be written" in capsys.readouterr().err
    assert (tmp_path / "s.csv").exists()
