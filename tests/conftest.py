"""What several files of tests share: caches of their own, small images, a run trained on them."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.cli import main


@pytest.fixture(scope="session", autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the caches of the person who runs it."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NDA_CACHE", str(folder / "nda"))
        patch.setenv("TORCH_HOME", str(folder / "torch"))
        patch.setenv("ORT_DISABLE_TELEMETRY", "1")  # also where a test imports onnxruntime itself
        yield


@pytest.fixture(scope="session", autouse=True)
def heeds_ctrl_c() -> None:
    """A shell lets jobs in the background ignore Ctrl-C, and the commands tested would inherit it.

    A handler, unlike the order to ignore, is not inherited: what is started gets the default.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for images that nobody has used yet."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NDA_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 PNGs of 32 x 32: train/{dark,light} with 20 each, test/{dark,light} with 10 each."""
    folder = tmp_path_factory.mktemp("data") / "images"
    write_split(folder / "train", 20)
    write_split(folder / "test", 10)
    return folder


def write_split(folder: Path, count: int, *, size: int = 32) -> None:
    """`count` images in each of the two classes of a split."""
    for label, mean in (("dark", 80), ("light", 170)):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            draws = np.random.default_rng([mean, count, index])
            pixels = draws.integers(mean - 60, mean + 60, (size, size, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{index:03d}.png")


@pytest.fixture(scope="session")
def finished(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 4 steps, trained, measured and reported; to be read only."""
    from tests.support.tiny_run import (
        train,  # beside the tests of the commands, which alone ask for this run
    )

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
        lines = captured.err.splitlines(keepends=True)
        if words[0] == "train" and lines[0].startswith(("nda: training ", "nda: No GPU is here")):
            del lines[0]  # what is said before anything is loaded
        assert len(lines) == 1
        assert lines[0].startswith("nda: ")
        assert lines[0].endswith("\n")
        return lines[0]

    return said
