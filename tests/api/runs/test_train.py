"""Runs from Python: train, resume, evaluate."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import nda
from nda.data import load_images
from nda.training.lock import NAME
from tests.support.tiny_run import TINY

SETTINGS: dict[str, Any] = {
    name: int(value) if value.isdecimal() else value for name, value in TINY.items()
}


def test_a_run_is_trained_gone_on_with_and_measured_again_without_a_word(
    image_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT), torch.get_rng_state()
    trained = nda.train("gan", data=image_folder, out=tmp_path / "run", **SETTINGS)
    assert (trained.run, trained.step) == (tmp_path / "run", 4)
    assert trained.report.read_text("utf-8").startswith("<!doctype html>")
    assert all(metric.protocol for metric in trained.metrics.values())
    assert any("are taken" in note for note in trained.notes)
    resumed = nda.resume(trained.run, steps=6)
    again = nda.evaluate(str(trained.run), evaluation_samples=12)
    assert (resumed.step, again.step) == (6, 6)
    assert set(again.metrics) == set(resumed.metrics)
    assert capfd.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGINT) == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert not (trained.run / NAME).exists()


def test_it_is_the_run_of_the_command_line(image_folder: Path, tmp_path: Path) -> None:
    from nda.cli import main
    from tests.support.tiny_run import train

    assert main(train(image_folder, tmp_path / "typed")) == 0
    nda.train("gan", data=image_folder, out=tmp_path / "called", **SETTINGS)
    typed, called = ((tmp_path / name / "metrics.json").read_text() for name in ("typed", "called"))
    assert typed == called


def test_images_at_hand_are_kept_with_the_run(image_folder: Path, tmp_path: Path) -> None:
    images = load_images(image_folder).images
    at_hand = nda.train("gan", data=images, out=tmp_path / "run", **SETTINGS)
    assert nda.resume(at_hand.run, steps=5).step == 5
    assert torch.equal(load_images(at_hand.run / "images.zip").images, images)


def test_a_file_of_settings_stands_below_those_given(image_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text("".join(f"{name}: {value}\n" for name, value in SETTINGS.items()))
    run = nda.train("gan", data=image_folder, out=tmp_path / "run", config=file, steps=2)
    assert run.step == 2


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("gna", {}, "There is no recipe 'gna'; did you mean 'gan'"),
        ("gan", {"stps": 3}, "There is no setting 'stps'; did you mean 'steps'"),
        ("gan", {"steps": "3"}, "steps is '3', but a whole number was expected"),
        ("gan", {"devices": 2}, "devices is 2, but from Python a run has one process"),
        ("gan", {"data": "nowhere"}, "There is no nowhere"),
        ("gan", {"data": torch.rand(9, 3, 8, 8)}, "values 0 to 255; got torch.float32"),
        ("gan", {"config": "nowhere.yaml"}, "nowhere.yaml does not exist"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    image_folder: Path, tmp_path: Path, recipe: str, changes: dict[str, Any], message: str
) -> None:
    out = tmp_path / "runs" / "one"
    with pytest.raises(nda.UserError, match=message):
        nda.train(recipe, **{"data": image_folder, "out": out, **SETTINGS, **changes})
    assert not out.parent.exists()


def test_ctrl_c_ends_it_with_a_checkpoint(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nda.recipes.gan import train as recipe

    step = recipe.step

    def interrupted(*given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return step(*given)

    monkeypatch.setattr(recipe, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nda.train("gan", data=image_folder, out=tmp_path / "run", **SETTINGS)
    monkeypatch.undo()
    assert (tmp_path / "run" / "checkpoints" / "step-00000001.pt").is_file()
    assert nda.resume(tmp_path / "run").step == 4
