"""Runs that are stopped, and folders that two commands want: exit codes, and one last sentence."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nda.api.runs.work import has_page
from nda.cli import main
from nda.commands.runs import finish
from nda.evaluation.outliers.detector import (
    Detector,
    DetectorSettings,
    build_network,
    save_detector,
)
from nda.runtime.signals import Interrupted
from nda.training.run_folder import RunFolder
from tests.support.processes import PATIENCE, started, wait_for_steps
from tests.support.tiny_run import train

Refusal = Callable[[list[str]], str]


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(PATIENCE * 20):
        if path.exists() or process.poll() is not None:
            return
        time.sleep(0.05)
    raise TimeoutError(f"{path} was not written")


@pytest.mark.slow
def test_a_folder_is_written_by_one_command_and_a_hangup_stops_it(
    image_folder: Path, tmp_path: Path, refusal: Refusal
) -> None:
    folder = tmp_path / "run"
    endless = train(image_folder, folder, steps="1000000")
    with started(endless) as process:
        wait_for_steps(folder, 3, process)
        for words in (["resume", str(folder)], ["evaluate", str(folder)]):
            assert f"{folder} is being written by process {process.pid} on " in refusal(words)
        assert f"{folder} already holds a run" in refusal(endless)
        assert main(["report", str(folder)]) == 0  # which only reads the run
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 129, err
    assert re.search(r"nda: stopped at step \d+ of 1000000; nothing is lost\. .*\n$", err)
    assert not (folder / ".lock").exists()


@pytest.mark.slow
def test_of_two_that_begin_in_one_folder_one_is_refused(image_folder: Path, tmp_path: Path) -> None:
    words = train(image_folder, tmp_path / "run", steps="2")
    with started(words) as one, started(words) as other:
        said = [process.communicate(timeout=PATIENCE)[1] for process in (one, other)]
    assert sorted((one.returncode, other.returncode)) == [0, 2], said
    refused = said[one.returncode == 0]
    assert re.search(r"is being written by process|already holds a run", refused)
    assert [row["step"] for row in RunFolder(tmp_path / "run").log()] == [1, 2]


@pytest.mark.slow
def test_ctrl_c_twice_ends_an_evaluation_that_can_be_done_again(
    image_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with started(train(image_folder, folder, steps="2", evaluation_samples="1000000")) as process:
        wait_for(folder / "checkpoints" / "step-00000002.pt", process)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    # The second may come when nothing is left but the interpreter's end.
    assert process.returncode in (130, -signal.SIGINT), err
    assert "Traceback" not in err
    assert main(["evaluate", str(folder), "--evaluation_samples", "10"]) == 0
    assert [each["step"] for each in RunFolder(folder).evaluations()] == [2]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_scoring_whose_rows_are_kept(
    image_folder: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    detector, out = tmp_path / "d.safetensors", tmp_path / "scores.csv"
    settings = DetectorSettings(16, "stretch", "plain", 8, "blemish", 0.05, 3, "fingerprint")
    save_detector(
        detector, Detector(build_network("plain", 8), torch.linspace(-5, 5, 30), settings)
    )
    photos = tmp_path / "photos"
    photos.mkdir()
    image = next((image_folder / "test").rglob("*.png"))
    for index in range(5000):
        os.link(image, photos / f"{index}.png")
    words = ["score", str(detector), str(photos), "--out", str(out), "--batch_size", "2"]
    with started(words) as process:
        wait_for(tmp_path / "scores.csv.part", process)
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert not out.exists()


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Interrupted(1), 129)])
def test_what_is_stopped_in_its_last_evaluation_says_so_in_one_line(
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    def stopping(run: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(finish, "evaluate_and_report", stopping)
        assert main(train(image_folder, tmp_path / "run")) == code
    assert capsys.readouterr().err.splitlines()[2:] == [
        "nda: stopped while measuring step 4; nothing of the training is lost. "
        f"Finish with: nda resume {tmp_path / 'run'}"
    ]
    assert main(["resume", str(tmp_path / "run")]) == 0


def test_a_page_older_than_the_figures_is_written_anew(
    copy: Path, capsys: pytest.CaptureFixture[str], refusal: Refusal
) -> None:
    run, page = RunFolder(copy), copy / "report.html"
    assert has_page(run)
    figures = run.metrics_path.read_bytes()
    os.utime(page, ns=(0, run.metrics_path.stat().st_mtime_ns - 1))
    assert not has_page(run)
    page.unlink()
    assert not has_page(run)
    capsys.readouterr()
    assert main(["resume", str(copy)]) == 0
    assert capsys.readouterr().out == f"report: {page}\n"
    assert has_page(run)
    assert run.metrics_path.read_bytes() == figures  # nothing is measured twice
    assert "The run is complete" in refusal(["resume", str(copy)])
