"""`nda score`: from a trained detector to a table, a page and pictures; and what it refuses."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.cli import main
from nda.data import load_images
from nda.evaluation.outliers.detector import (
    load_detector,
    save_detector,
)
from tests.api.score.conftest import SETTINGS, some_detector, standard_input


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_has_a_row_in_order(run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "scores.csv"
    assert main(["score", str(run), str(photos), "--out", str(out), "--batch_size", "3"]) == 0
    table = rows(out)
    assert [row["file"] for row in table] == sorted(path.name for path in photos.iterdir())
    broken = {row["file"]: row["reason"] for row in table if row["verdict"] == "broken"}
    assert broken == {"empty.png": "an empty file", "text.jpg": "not an image"}

    detector = load_detector(run / "detector.safetensors")
    images = load_images(photos, resolution=16, fit="stretch", skip_broken=True).images
    read = [row for row in table if row["verdict"] != "broken"]
    for row, image in zip(read, images, strict=True):
        score = float(detector(image[None])[0])
        assert float(row["score"]) == pytest.approx(score, abs=1e-5)
        as_high = int((detector.calibration >= score - 1e-6).sum())
        assert float(row["p_value"]) == pytest.approx((1 + as_high) / 21, abs=1e-5)
        assert row["verdict"] == ("anomalous" if as_high == 0 else "normal")
    assert sum(row["verdict"] == "anomalous" for row in read) == 2


def test_the_summary_counts_and_says_how_images_were_brought_in(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(run), str(photos), "--out", str(tmp_path / "s.csv")]) == 0
    out = capsys.readouterr().out
    assert "13 images at a false-alarm rate of 0.05: 2 anomalous, 9 normal, 2 could not be" in out
    assert "in RGB at 16 x 16 pixels (all of it), whatever its own size" in out
    assert f"scores: {tmp_path / 's.csv'}" in out


def test_images_of_12_bits_are_read_as_the_detector_was_calibrated(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grey = np.asarray(Image.open(photos / "0.png").convert("L"))
    camera = tmp_path / "camera"
    camera.mkdir()
    Image.fromarray(grey).save(tmp_path / "in8.png")
    wide = (grey.astype(np.uint32) * 4095 + 127) // 255
    Image.fromarray(wide.astype(np.uint16)).save(camera / "in16.png")
    told = dataclasses.replace(SETTINGS, bit_depth=12)
    for name, settings, options in (
        ("kept", told, []),
        ("typed", SETTINGS, ["--bit_depth", "12"]),
        ("black", SETTINGS, []),
    ):
        detector = some_detector(photos)
        detector.settings = settings
        save_detector(tmp_path / f"{name}.safetensors", detector)
        words = ["score", str(tmp_path / f"{name}.safetensors"), str(camera), *options]
        assert main([*words, "--out", str(tmp_path / f"{name}.csv")]) == 0
    assert load_detector(tmp_path / "kept.safetensors").settings == told
    words = ["score", str(tmp_path / "kept.safetensors"), str(tmp_path / "in8.png")]
    assert main([*words, "--out", str(tmp_path / "eight.csv")]) == 0
    same = ("kept", "typed", "eight")
    scores = {name: rows(tmp_path / f"{name}.csv")[0]["score"] for name in same}
    assert len(set(scores.values())) == 1
    assert rows(tmp_path / "black.csv")[0]["score"] not in scores.values()
    assert capsys.readouterr().err.count("almost black (in16.png has values up to") == 1


def test_folder_zip_and_list_give_the_same_table(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in photos.iterdir():
            file.write(path, path.name)
    monkeypatch.chdir(photos)
    names = sorted(path.name for path in photos.iterdir())
    standard_input(monkeypatch, "\n".join(names) + "\n\n")
    for source, out in ((str(photos), "a.csv"), (str(archive), "b.csv"), ("-", "c.csv")):
        assert main(["score", str(run), source, "--out", str(tmp_path / out)]) == 0
    first, second, third = (rows(tmp_path / name) for name in ("a.csv", "b.csv", "c.csv"))
    assert first == second
    for row in third:  # of a list, an empty file is told in other words
        row["reason"] = next(r["reason"] for r in first if r["file"] == row["file"])
    assert first == third


def test_fail_on_anomaly_ends_with_3_only_where_something_was_flagged(
    run: Path, photos: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "s.csv")
    words = ["score", str(run), str(photos), "--out", out]
    assert main([*words, "--fail-on-anomaly"]) == 3
    flagged = [row["file"] for row in rows(Path(out)) if row["verdict"] == "anomalous"]
    for name in flagged:
        (photos / name).unlink()
    assert main([*words, "--fail-on-anomaly", "--overwrite"]) == 0


def test_page_and_heat_maps_are_written(run: Path, photos: Path, tmp_path: Path) -> None:
    page, heat = tmp_path / "page.html", tmp_path / "heat"
    words = ["--out", str(tmp_path / "s.csv"), "--html", str(page), "--heatmaps", str(heat)]
    assert main(["score", str(run), str(photos), *words]) == 0
    text = page.read_text()
    assert "2 of 13 images are flagged as anomalous" in text
    assert "text.jpg" in text
    assert "http" not in text.replace("http-equiv", "")
    pictures = sorted(path.name for path in heat.iterdir())
    readable = [p.name for p in photos.iterdir() if p.name not in ("empty.png", "text.jpg")]
    assert pictures == sorted(f"{name}.png" for name in readable)
    with Image.open(heat / "wide.png.png") as image:
        assert image.size == (16, 16)


def test_a_run_trained_further_is_scored_with_a_notice(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "step-00000009.pt").write_bytes(b"")
    assert main(["score", str(run), str(photos), "--out", str(tmp_path / "s.csv")]) == 0
    assert "was calibrated at step 7 and has been trained further since" in capsys.readouterr().err


def test_a_detector_file_alone_suffices(run: Path, photos: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    shutil.copy(run / "detector.safetensors", alone)
    assert main(["score", str(alone), str(photos), "--out", str(tmp_path / "s.csv")]) == 0


def test_a_listed_file_that_is_missing_is_told_in_its_row(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standard_input(monkeypatch, f"{photos / '0.png'}\n{photos / 'gone.png'}\n")
    assert main(["score", str(run), "-", "--out", str(tmp_path / "s.csv")]) == 0
    first, second = rows(tmp_path / "s.csv")
    assert first["verdict"] == "normal" or first["verdict"] == "anomalous"
    assert second["verdict"] == "broken"
    assert "No such file" in second["reason"]


def test_settings_are_kept_in_the_file(run: Path) -> None:
    detector = load_detector(run / "detector.safetensors")
    assert dataclasses.asdict(detector.settings) == dataclasses.asdict(SETTINGS)
    assert json.dumps(dataclasses.asdict(detector.settings))


def test_a_folder_of_which_nothing_can_be_read_is_no_success(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_text("no picture")
    words = ["score", str(run), str(tmp_path / "bad"), "--out", str(tmp_path / "s.csv")]
    assert main(words) == 2
    assert "none of 1 files in " in capsys.readouterr().err
    assert "not an image" in (tmp_path / "s.csv").read_text()


def test_one_image(run: Path, photos: Path, tmp_path: Path) -> None:
    whole, alone = tmp_path / "whole.csv", tmp_path / "alone.csv"
    picture = next(path for path in sorted(photos.rglob("*.png")) if path.stat().st_size > 100)
    assert main(["score", str(run), str(photos), "--out", str(whole)]) == 0
    assert main(["score", str(run), str(picture), "--out", str(alone)]) == 0
    (row,) = alone.read_text().splitlines()[1:]
    assert row.partition(",")[0] == str(picture)
    assert row.partition(",")[2] in whole.read_text()


def test_a_file_for_onnx_runtime(
    photos: Path, tmp_path: Path, refusal: Callable[[list[str]], str]
) -> None:
    (tmp_path / "detector.onnx").write_bytes(b"x")
    said = refusal(["score", str(tmp_path / "detector.onnx"), str(photos)])
    assert "detector.onnx is for ONNX Runtime; give the run" in said


def scored_with(run: Path, photos: Path, out: Path, *words: str) -> list[dict[str, str]]:
    assert main(["score", str(run), str(photos), "--out", str(out), *words]) == 0
    return rows(out)


def test_a_threshold_by_hand_and_false_discoveries(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = scored_with(run, photos, tmp_path / "plain.csv")
    read = sorted((row for row in plain if row["score"]), key=lambda row: float(row["score"]))
    third = read[-3]["score"]
    capsys.readouterr()
    page = tmp_path / "page.html"
    by_hand = scored_with(run, photos, tmp_path / "hand.csv", "--threshold", third,
                          "--html", str(page))  # fmt: skip
    assert "anomalous, " in capsys.readouterr().out
    flagged = {row["file"] for row in by_hand if row["verdict"] == "anomalous"}
    assert flagged == {row["file"] for row in read[-3:]}  # by the digits that the table has
    assert "a threshold that was set by hand" in " ".join(page.read_text().split())
    # Of 11 images two have p = 1 / 21: at a rate of 0.6 the limit is 2 x 0.6 / 11 or more.
    found = scored_with(run, photos, tmp_path / "found.csv", "--false_discovery_rate", "0.6",
                        "--html", str(page), "--overwrite")  # fmt: skip
    p_values = sorted(float(row["p_value"]) for row in found if row["p_value"])
    passed = [p for k, p in enumerate(p_values, start=1) if p * len(p_values) <= 0.6 * k + 1e-6]
    expected = {
        row["file"] for row in found if row["p_value"] and float(row["p_value"]) <= passed[-1]
    }
    assert {row["file"] for row in found if row["verdict"] == "anomalous"} == expected
    assert len(expected) >= 2
    said = capsys.readouterr().out
    assert f"at a false-discovery rate of 0.6: {len(expected)} anomalous, " in said
    assert f"{len(expected)} of 13 images are flagged" in page.read_text()
    nothing = scored_with(run, photos, tmp_path / "none.csv", "--false_discovery_rate", "0.01")
    assert not [row for row in nothing if row["verdict"] == "anomalous"]
    assert "must be as rare before any is flagged" in capsys.readouterr().out


# --- labels


@pytest.fixture
def labelled(photos: Path, tmp_path: Path) -> Path:
    """The photos in folders: those that the detector flags in one, the others in two."""
    folder = tmp_path / "labelled"
    for index, path in enumerate(sorted(photos.glob("?.png"))):
        place = folder / ("fine" if index % 3 else "odd")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / path.name)
    return folder


def test_folders_of_normal_images_say_how_well_scores_tell(
    run: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(run), str(labelled), "--out", str(tmp_path / "s.csv")]
    assert main([*words, "--normal", "fine", "--html", str(tmp_path / "p.html")]) == 0
    table = rows(tmp_path / "s.csv")
    scores = {
        kind: [float(row["score"]) for row in table if row["file"].startswith(kind)]
        for kind in ("fine", "odd")
    }
    pairs = [(a, b) for a in scores["fine"] for b in scores["odd"]]
    auroc = sum(a < b for a, b in pairs) / len(pairs)
    flagged = [row["file"] for row in table if row["verdict"] == "anomalous"]
    of_kind = {kind: sum(file.startswith(kind) for file in flagged) for kind in scores}
    counts = [f"{of_kind[kind]} of {len(scores[kind])}" for kind in ("odd", "fine")]
    said = f"Flagged: {counts[0]} anomalous, {counts[1]} normal."
    out = capsys.readouterr().out
    assert "note: Labels are the names of folders: what lies in fine is normal" in out
    assert f"AUROC {auroc:.3f} (95 %:" in out
    assert said in out
    assert said in (tmp_path / "p.html").read_text()
    shutil.move(labelled / "fine", labelled / "good")  # a name that is usual needs no words
    assert main([*words, "--overwrite"]) == 0
    assert f"AUROC {auroc:.3f} (95 %:" in capsys.readouterr().out


def test_labels_follow_what_false_discoveries_flag(
    run: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(run), str(labelled), "--out", str(tmp_path / "s.csv"), "--normal", "fine"]
    assert main([*words, "--false_discovery_rate", "0.9"]) == 0
    flagged = sum(row["verdict"] == "anomalous" for row in rows(tmp_path / "s.csv"))
    said = re.search(r"Flagged: (\d+) of \d+ anomalous, (\d+) of", capsys.readouterr().out)
    assert said is not None
    assert sum(map(int, said.groups())) == flagged > 0


def test_listed_images_are_labelled_by_their_folders_and_told_where_they_are_not(
    run: Path,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["score", str(run), "-", "--out", str(tmp_path / "s.csv"), "--overwrite"]
    listed = "\n".join(map(str, sorted(labelled.rglob("*.png"))))
    for normal, expected in (("fine", "AUROC"), ("elsewhere", "elsewhere: there are no images")):
        standard_input(monkeypatch, listed)
        assert main([*words, "--normal", normal]) == 0
        assert expected in capsys.readouterr().out


def test_folders_that_are_not_there_are_refused(
    run: Path, labelled: Path, tmp_path: Path, refusal: Callable[[list[str]], str]
) -> None:
    words = ["score", str(run), str(labelled), "--out", str(tmp_path / "s.csv")]
    for empty in ("", "fine,", " , fine"):
        assert f"--normal {empty!r} leaves a name empty; give" in refusal(
            [*words, "--normal", empty]
        )
    said = refusal([*words, "--normal", "nowhere"])
    assert "--normal nowhere: no image lies in such a folder" in said
    assert "there are fine, odd." in said
    assert not (tmp_path / "s.csv").exists()
