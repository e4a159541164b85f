from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.cli import main
from nda.data.clevr import archive as clevr_archive
from nda.data.clevr.draw import scene_of
from nda.data.clevr.render import render
from nda.data.images.load import load_images
from nda.runtime.workers import processes as workers
from nda.runtime.workers.processes import WorkerDiedError
from tests.support.processes import PATIENCE

Refusal = Callable[[list[str]], str]


def words(out: Path, *more: str) -> list[str]:
    settings = ["--objects", "1,3", "--count", "2", "--size", "16", "--workers", "1"]
    return ["data", "clevr", *settings, "--out", str(out), *more]


def test_makes_an_archive_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mitsuba")
    out = tmp_path / "clevr.zip"
    assert main(words(out)) == 0
    assert f"4 images of 1,3 objects: {out}" in capsys.readouterr().out
    images = load_images(out)
    assert images.classes == ("1", "3")
    assert images.images.shape == (4, 3, 16, 16)


@pytest.mark.parametrize(("more", "message"), [
    (["--objects", "two"], "objects is 'two'; give whole numbers separated by commas"),
    (["--objects", "3,12"], "A scene holds 0 to 10 objects that can all be seen; got 12"),
    (["--count", "0"], "count is 0; it must be at least 1"),
    (["--size", "8"], "size is 8; it must be at least 16"),
    (["--workers", "-1"], "workers is -1; it must be at least 0"),
    (["--seed", str(2**63)], "seed is 9223372036854775808"),
    (["--original", "nowhere"], "There is no nowhere. Check the path."),
    (["--original", ".", "--split", "test"], "no scenes of split 'test'"),
    (["--sise", "64"], "There is no setting 'sise'; did you mean 'size'?"),
])  # fmt: skip
def test_mistakes_are_one_sentence(
    tmp_path: Path, refusal: Refusal, more: list[str], message: str
) -> None:
    pytest.importorskip("mitsuba")
    assert message in refusal(words(tmp_path / "clevr.zip", *more))
    assert list(tmp_path.iterdir()) == []


def test_the_archive_must_be_a_zip(tmp_path: Path, refusal: Refusal) -> None:
    assert "clevr.tar must end in .zip" in refusal(words(tmp_path / "clevr.tar"))


def test_a_killed_worker_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mitsuba")

    def killed(*_: object, **__: object) -> None:
        raise WorkerDiedError("A worker process was killed.")

    monkeypatch.setattr(clevr_archive, "in_processes", killed)
    assert main(words(tmp_path / "clevr.zip")) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "nda: A worker process was killed. Give the same command again to go on.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["clevr.zip.partial"]


def test_takes_pictures_of_the_original(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "CLEVR_v1.0"
    (folder / "images" / "val").mkdir(parents=True)
    (folder / "scenes").mkdir()
    thing = {"shape": "cube", "size": "small", "pixel_coords": [160, 100, 11]}
    cut = {**thing, "pixel_coords": [41, 100, 11]}
    scenes = []
    for index, objects in enumerate([[thing], [thing, thing], [thing, cut], [thing]]):
        name = f"CLEVR_val_{index:06d}.png"
        Image.fromarray(np.full((240, 320, 3), 9 * index, np.uint8)).save(
            folder / "images" / "val" / name
        )
        scenes.append({"image_filename": name, "objects": objects})
    (folder / "scenes" / "CLEVR_val_scenes.json").write_text(json.dumps({"scenes": scenes}))
    out = tmp_path / "clevr.zip"
    more = ["--original", str(folder), "--split", "val", "--objects", "1,2", "--count", "5"]
    assert main(words(out, *more)) == 0
    said = capsys.readouterr().out
    assert "2 images of 1 object\n1 image of 2 objects\n" in said
    assert "left out: 1 picture " in said
    assert load_images(out).images[:, 0, 0, 0].tolist() == [0, 27, 9]


def finished(partial: Path) -> list[Path]:
    return sorted(partial.glob("*/*.png"))


def started(out: Path, count: int) -> subprocess.Popen[str]:
    """The command in a process group of its own, once it has finished two pictures."""
    command = [sys.executable, "-m", "nda", *words(out, "--count", str(count), "--workers", "2")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    partial = out.with_name(out.name + ".partial")
    for _ in range(2000):
        if len(finished(partial)) >= 2 or process.poll() is not None:
            break
        time.sleep(0.05)
    assert process.poll() is None
    return process


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_the_command_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba")
    out = tmp_path / "clevr.zip"
    process = started(out, count=5000)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert error == "nda: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["clevr.zip.partial"]
    kept = finished(tmp_path / "clevr.zip.partial")
    assert kept
    for path in kept:
        with Image.open(path) as picture:  # whole, and not cut short in rendering
            scene = scene_of(int(path.parent.name), int(path.stem), seed=0)
            assert np.array_equal(np.asarray(picture), render(scene, 16))
    assert main(words(out)) == 0
    assert main(words(tmp_path / "straight.zip")) == 0
    assert out.read_bytes() == (tmp_path / "straight.zip").read_bytes()


@pytest.mark.slow
def test_workers_end_where_the_command_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba")
    out = tmp_path / "clevr.zip"
    process = started(out, count=5000)
    process.kill()
    process.communicate(timeout=PATIENCE)
    partial = tmp_path / "clevr.zip.partial"
    for _ in range(100):  # a picture under way may still be finished
        before = len(finished(partial))
        time.sleep(1)
        if len(finished(partial)) == before:
            break
    assert len(finished(partial)) == before < 10_000
    assert not out.exists()
    assert main(words(out)) == 0
    with zipfile.ZipFile(out) as archive:
        assert len(archive.namelist()) == 5


def test_progress_is_quiet_where_nobody_watches(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workers.in_processes(lambda path: path.touch(), [(tmp_path / "x",)], 1, "touching")
    assert (tmp_path / "x").exists()
    assert capfd.readouterr() == ("", "")
