"""Further normal images: fitted to, never calibrated on, and on the side of what they show."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import nda
from nda.cli import main
from nda.errors import DataError
from nda.evaluation.outliers.detector import load_detector
from nda.recipes import RECIPES
from nda.recipes.anomaly.normal import load_normal
from nda.training.start import start
from tests.support.tiny_anomaly import SIDE, surface, tiny_anomaly
from tests.support.tiny_lite0 import install_lite0

OWN, MORE = 30, 5
LEFT_OUT: dict[str, Any] = {"method": "auto", "backbone": None, "calibration": "left_out"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "normal", "train/good", OWN)


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """Normal surfaces with a label, which is on none of the others."""
    folder = written(tmp_path / "more", "more", MORE)
    for path in folder.iterdir():
        pixels = np.array(Image.open(path))
        pixels[20:28, 20:28] = 250
        Image.fromarray(pixels).save(path)
    return folder


def written(folder: Path, kind: str, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        Image.fromarray(surface(kind, number)[0]).save(folder / f"{kind[:1]}{number:02d}.png")
    return folder


def normal_of(data: Path, more: Path | None = None, **changes: Any) -> Any:
    config = tiny_anomaly(data, **{"normal_more": more and str(more), **changes})
    config.check()
    return load_normal(config)


def test_they_are_trained_on_and_the_same_images_are_held_out(data: Path, more: Path) -> None:
    plain, with_them = normal_of(data), normal_of(data, more)
    assert with_them.calibration.fingerprint == plain.calibration.fingerprint
    assert (len(plain.train), len(with_them.train)) == (20, 25)
    assert torch.equal(with_them.train.images[:20], plain.train.images)
    assert (with_them.different, with_them.kept_out) == (plain.different, plain.kept_out)
    said = "5 images of --normal_more join those trained on; none of that folder is calibrated on."
    assert said in with_them.train.told
    assert with_them.train.fingerprint != plain.train.fingerprint  # no run is resumed with others


def test_what_is_passed_over_among_them_is_said_as_it_is_of_the_data(
    data: Path, more: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (more / "list.txt").write_text("m00.png")
    (more / "broken.png").write_bytes(b"no picture")
    shutil.copy(more / "broken.png", data)
    (data / "list.csv").write_text("t00.png")
    with pytest.raises(DataError, match=r"broken\.png"):
        normal_of(data, more)
    words = ["train", "anomaly", "--data", str(data), "--out", str(tmp_path / "run")]
    words += ["--normal_more", str(more), "--resolution", "32", "--device", "cpu", "--steps", "1"]
    assert main([*words, "--skip_broken", "true", "--false_alarm_rate", "0.2"]) == 0
    said = [
        "31 images, in no classes, are taken; passed over: files of endings that are not read "
        "(.csv 1).",
        "1 image could not be read and was left out.",
        "--normal_more: 6 images, in no classes, are taken; passed over: files of endings that "
        "are not read (.txt 1).",
        "--normal_more: 1 image could not be read and was left out.",
    ]
    shown = capsys.readouterr()
    assert [f"nda: {each}" for each in said] == shown.err.splitlines()[1:5]
    told = " ".join(shown.out.split())
    assert all(f"note: {each}" in told for each in said)


def test_where_images_are_left_out_in_turn_they_are_in_every_fit_but_are_no_turn(
    data: Path, more: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    config = tiny_anomaly(
        data, tmp_path / "run", method="gaussian", backbone=None, normal_more=str(more),
        calibration="left_out",
    )  # fmt: skip
    run = start(RECIPES["anomaly"].recipe(), config)
    assert run.state.normal.owners.tolist() == list(range(OWN + MORE))
    assert run.state.normal.rows.tolist() == list(range(OWN))
    assert run.train()
    run.evaluate()
    detector = load_detector(run.folder.detector_path)
    assert (len(detector.calibration), detector.settings.kept) == (OWN, OWN + MORE)
    scores, rarity, _ = detector(run.state.calibration.images[:4])
    assert bool((scores >= 0).all() and (rarity >= 1 / (OWN + 1)).all())


def test_what_shows_an_image_that_is_held_out_is_left_aside(data: Path, more: Path) -> None:
    shutil.copy(data / "t00.png", more / "copy.png")  # every third is held out, from the first on
    shutil.copy(data / "t01.png", more / "fitted.png")
    found = normal_of(data, more)
    assert len(found.train) == 20 + MORE + 1
    left = "1 more of --normal_more is a copy or another picture of what is held out, and left "
    assert any(note.startswith(left) for note in found.train.notes)


def test_a_further_picture_of_a_part_stays_on_its_side(data: Path, more: Path) -> None:
    (more / "m00.png").rename(more / "t00-again.png")
    found = normal_of(data, more, group="([mt][0-9]+)")
    assert len(found.train) == 20 + MORE - 1
    left = normal_of(data, more, group="([mt][0-9]+)", **LEFT_OUT)
    assert left.owners.tolist().count(0) == 2
    assert left.rows.tolist()[0] == 0  # and never the further one


def test_of_large_images_they_are_tiles_too(tmp_path: Path) -> None:
    folders = []
    for name, count in (("normal", 8), ("more", 3)):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        for number in range(count):
            parts = [surface(name, 10 * number + part)[0] for part in range(2)]
            Image.fromarray(np.concatenate(parts, axis=1)).save(folders[-1] / f"{number}.png")
    tiles: dict[str, Any] = {"tile": SIDE, "tile_overlap": 0, "false_alarm_rate": 0.3}
    plain, found = normal_of(folders[0], **tiles), normal_of(*folders, **tiles)
    assert (len(plain.train), len(found.train)) == (10, 16)
    shown = {tile.numpy().tobytes() for tile in found.train.images[10:]}
    pixels = torch.from_numpy(np.array(Image.open(folders[1] / "0.png").convert("RGB")))
    assert pixels[:, :SIDE].permute(2, 0, 1).contiguous().numpy().tobytes() in shown
    Image.fromarray(surface("more", 0)[0]).save(folders[1] / "9.png")
    with pytest.raises(DataError, match=r"more: 9\.png has 32 x 32 pixels, and others 64 x 32;"):
        normal_of(*folders, **tiles)


def test_a_run_is_trained_as_another_with_them(
    data: Path,
    more: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    first, second = tmp_path / "first", tmp_path / "second"
    words = ["train", "anomaly", "--data", str(data), "--out", str(first), "--device", "cpu"]
    assert main([*words, "--method", "gaussian", "--resolution", "32"]) == 0
    words = ["train", "anomaly", "--config", str(first), "--normal_more", str(more)]
    assert main([*words, "--out", str(second)]) == 0
    assert "5 images of --normal_more join those" in capsys.readouterr().err
    labelled = torch.from_numpy(surface("new", 9)[0].copy())
    labelled[20:28, 20:28] = 250
    image = labelled.expand(1, 3, -1, -1)
    before, after = (nda.load_detector(each / "detector.safetensors") for each in (first, second))
    assert (before.settings.method, before.settings.resolution) == ("gaussian", 32)
    assert float(before(image)[1]) == pytest.approx(1 / (OWN + 1))
    assert float(after(image)[1]) > float(before(image)[1])  # its like is normal now
    assert main(words) == 2
    assert "already holds a run" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_refused_at_the_door(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "anomaly", "--data", str(data), "--out", str(tmp_path / "run")]
    assert main([*words, "--normal_more", str(tmp_path / "mroe")]) == 2
    assert f"There is no {tmp_path / 'mroe'}" in capsys.readouterr().err
    assert main([*words, "--normal_more", ""]) == 2
    assert "normal_more is empty; give a path." in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main([*words, "--normal_more", str(tmp_path / "empty")]) == 2
    assert f"{tmp_path / 'empty'}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
