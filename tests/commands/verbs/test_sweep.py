"""`nda sweep`: from a space to a page, with real runs; and what is refused before any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nda.cli import main
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from tests.support.tiny_run import TINY

SPACE = "fake_weight: {low: 0.1, high: 0.9}\nnegative: [jigsaw, stitch]\n"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def words(data: Path, space: Path, out: Path, /, **changes: str) -> list[str]:
    settings = TINY | {"data": str(data), "space": str(space), "out": str(out)} | changes
    return ["sweep", "gan", *(f"--{name}={value}" for name, value in settings.items())]


@pytest.mark.slow
def test_from_a_space_to_a_page_through_an_interruption(
    image_folder: Path, space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    out = tmp_path / "sweep"
    typed = words(image_folder, space, out, trials="2", steps="6", evaluate_every="3")
    process = subprocess.Popen([sys.executable, "-m", "nda", *typed], start_new_session=True)
    first = RunFolder(out / "trial-0000")
    deadline = time.monotonic() + 500
    while not first.log() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C reaches all of a terminal
    assert process.wait(300) == 130
    assert load_checkpoint(first.checkpoints / "latest")["step"] == len(first.log())
    assert not (out / "comparison.html").exists()
    assert main(typed) == 0
    said = capsys.readouterr().out
    assert "Best of 2 trials (0 cut short)" in said
    assert "Sweep of gan: fake_weight, negative" in (out / "comparison.html").read_text()
    for number in range(2):
        run = RunFolder.open(out / f"trial-{number:04d}")
        assert run.evaluations()[-1]["step"] == 6
        assert [row["step"] for row in run.log()] == [1, 2, 3, 4, 5, 6]
        assert 0.1 <= run.config()["fake_weight"] <= 0.9
    assert main(typed) == 0  # what is done is not done again


@pytest.mark.parametrize(
    ("changes", "text", "said"),
    [
        ({}, "fake_wait: [1, 2]\n", "There is no setting 'fake_wait'; did you mean 'fake_weight'?"),
        ({}, "fake_weight: {low: 0.1, high: 3}\n", "fake_weight is 3"),
        ({}, "negative: [none, jigsw]\n", "there is no negative 'jigsw'; did you mean 'jigsaw'?"),
        ({"positives": "horizontal_flap"}, SPACE, "did you mean 'horizontal_flip'?"),
        ({"data": "nowhere"}, SPACE, "There is no nowhere. Check the path."),
        ({"trials": "1"}, SPACE, "trials is 1; it must be at least 2."),
        ({"negative": "stitch"}, SPACE, "--negative is given, and the space searches it"),
        ({"space": "none.yaml"}, SPACE, "--space none.yaml does not exist"),
    ],
)
def test_what_no_trial_could_be_trained_with_is_refused(
    changes: dict[str, str],
    text: str,
    said: str,
    image_folder: Path,
    space: Path,
    tmp_path: Path,
    refusal: Callable[[list[str]], str],
) -> None:
    space.write_text(text)
    assert said in refusal(words(image_folder, space, tmp_path / "sweep", **changes))
    assert not (tmp_path / "sweep").exists()


def test_an_unknown_recipe_is_refused(space: Path, refusal: Callable[[list[str]], str]) -> None:
    said = refusal(["sweep", "gam", "--space", str(space), "--out", "x"])
    assert "There is no recipe 'gam'; did you mean 'gan'?" in said


def test_without_the_package_it_says_how_to_get_it(
    image_folder: Path,
    space: Path,
    tmp_path: Path,
    refusal: Callable[[list[str]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    said = refusal(words(image_folder, space, tmp_path / "sweep"))
    assert "nda sweep needs the package optuna; install nda with its extra" in said
    assert "pip install 'nda-torch[sweep]'" in said
    assert not (tmp_path / "sweep").exists()
