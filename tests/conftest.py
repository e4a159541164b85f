"""What several files of tests share: caches of their own, small images, a run trained on them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nda.cli import main


def pytest_configure(config: pytest.Config) -> None:
    """What the workers of `-n` and every process that a test starts inherit."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        # Compiling all of torch in each of a hundred processes would take minutes; so the bytecode
        # is kept, though not beside the sources, where it is not wanted.
        folder = tempfile.TemporaryDirectory(prefix="nda-bytecode-")
        config.add_cleanup(folder.cleanup)
        os.environ["PYTHONPYCACHEPREFIX"] = folder.name
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for a core wait busily


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto` takes all cores, but no more than memory allows: a worker takes up to 2 GB.

    And one more, since many tests wait for processes that they have started or killed.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    return min(cores + 1, 8)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Settings and sets in an order of their own: workers must agree on the name of a test."""
    if isinstance(val, set | frozenset):
        return str(sorted(val))
    plain = isinstance(val, dict) and all(
        isinstance(each, str | int | float) for each in val.values()
    )
    return str(val) if plain else None


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
def heeds_signals() -> None:
    """A shell lets jobs in the background ignore Ctrl-C, and nohup hang-ups; tests inherit it.

    A handler, unlike the order to ignore, is not inherited: what is started gets the default.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
