"""The table of commands, exit codes, and what help and scoring do not wait for."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nda import cli
from nda.cli import COMMANDS, main
from tests.support.processes import PATIENCE

HELP = """
import contextlib, io, sys
from nda.cli import COMMANDS, main

def text_of(words):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(words)
    assert "usage: nda" in out.getvalue(), words
    return out.getvalue()

overview = text_of(["--help"])
for name, command in COMMANDS.items():
    assert f"  {name}" in overview and command.summary in overview, name
    text_of([name, "--help"])
assert "gan" in text_of(["train", "--help"])
assert "--fake_weight" in text_of(["train", "gan", "--help"])
for slow in ("torch", "matplotlib", "lightning_fabric"):
    assert slow not in sys.modules, slow
"""


def test_help_lists_everything_and_does_not_import_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_scoring_does_not_wait_for_what_only_training_needs() -> None:
    lines = (
        "import sys, nda.api.media, nda.api.score.images, nda.recipes.anomaly.load\n"
        "slow = ('torchvision', 'torch._dynamo', 'lightning_fabric', 'matplotlib', 'scipy.stats')\n"
        "print([name for name in slow if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_it_runs_as_a_module() -> None:
    words = [sys.executable, "-m", "nda", "trian"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "nda: There is no command 'trian'; did you mean 'train'? 'nda --help' lists the commands.\n"
    )


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_the_overview(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nda 0.")


def test_an_interruption_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "dispatch", interrupt)
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "nda: interrupted\n"


def test_our_own_faults_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    for fault in (RuntimeError("ours"), ValueError("ours"), OSError(errno.EBADF, "ours")):

        def fail(words: list[str], fault: Exception = fault) -> int:
            raise fault

        monkeypatch.setattr(cli, "dispatch", fail)
        with pytest.raises(type(fault), match="ours"):
            main(["train"])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.ESTALE, errno.EROFS])
def test_what_the_disk_refuses_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    def fill(words: list[str]) -> int:
        raise OSError(code, os.strerror(code), str(Path("run") / "log.jsonl"))

    monkeypatch.setattr(cli, "dispatch", fill)
    assert main(["train"]) == 2
    assert capsys.readouterr().err == (
        f"nda: run/log.jsonl could not be read or written ({os.strerror(code)}). "
        "Choose another place, or make room for it.\n"
    )


def test_too_little_memory_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for fault in (
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nMore."),
        MemoryError("Unable to allocate 9 TiB for an array"),
    ):

        def fail(words: list[str], fault: Exception = fault) -> int:
            raise fault

        monkeypatch.setattr(cli, "dispatch", fail)
        assert main(["train"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("nda: There is not enough memory (")
        assert said.endswith("Give a smaller batch, resolution, width or size.\n")
        assert said.count("\n") == 1
