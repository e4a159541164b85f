"""Runs that several tests of the commands look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_run import train

from nda.cli import main


@pytest.fixture(scope="session")
def finished(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 4 steps, trained, measured and reported; to be read only."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert main(train(image_folder, folder)) == 0
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The same run, to be changed."""
    shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], str]:
    """Give a command that must be refused; get the one sentence it says on stderr."""

    def said(words: list[str]) -> str:
        capsys.readouterr()
        assert main(words) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("nda: ")
        assert captured.err.endswith("\n")
        assert captured.err.count("\n") == 1
        return captured.err

    return said
