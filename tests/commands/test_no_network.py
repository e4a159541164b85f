"""No command reaches for the network unasked: every verb, with the doors to it locked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nda.cli import COMMANDS, main
from tests.support.tiny_run import train

Words = Callable[[Path, Path, Path], list[str]]  # of the images, the run and a place to write


def anomaly(images: Path, _: Path, out: Path) -> list[str]:
    settings = {
        "data": images, "out": out / "parts", "steps": 2, "batch_size": 2, "width": 8,
        "resolution": 32, "false_alarm_rate": 0.2, "holdout": 0.3, "device": "cpu",
    }  # fmt: skip
    return ["train", "anomaly", *(f"--{name}={value}" for name, value in settings.items())]


# Of each verb: commands that do all of its work, in small.
VERBS: dict[str, list[Words]] = {
    "configs": [lambda *_: ["configs"]],
    "completion": [lambda *_: ["completion", "bash"]],
    "data": [
        lambda _, __, out: [
            *("data", "dots", "--objects", "1,2", "--count", "4", "--size", "24"),
            *("--out", str(out / "dots.zip")),
        ]
    ],
    "preview": [lambda images, _, out: ["preview", str(images), "--out", str(out / "p.png")]],
    "check": [
        lambda _, __, out: [
            *("check", str(many(out / "many")), "--out", str(out / "check.html")),
            *("--steps", "2", "--negatives", "stitch", "--device", "cpu"),
        ]
    ],
    "train": [lambda images, _, out: train(images, out / "new"), anomaly],
    "resume": [lambda _, run, __: ["resume", str(run), "--steps", "5"]],
    "evaluate": [lambda _, run, __: ["evaluate", str(run)]],
    "score": [
        anomaly,
        lambda images, _, out: [
            *("score", str(out / "parts"), str(images), "--out", str(out / "scores.csv")),
            *("--html", str(out / "scores.html"), "--heatmaps", str(out / "heat")),
        ],
    ],
    "probe": [
        lambda images, run, out: [
            *("probe", str(run), str(images), "--count", "4", "--out", str(out / "probe.html")),
        ]
    ],
    "sample": [lambda _, run, out: ["sample", str(run), "--out", str(out / "samples.png")]],
    "report": [lambda _, run, __: ["report", str(run)]],
    "compare": [
        lambda _, run, out: [
            *("compare", str(run), str(shutil.copytree(run, out / "again", symlinks=True))),
            *("--out", str(out / "compared.html")),
        ]
    ],
    "export": [
        anomaly,
        lambda _, __, out: [
            *("export", str(out / "parts"), "--format", "safetensors"),
            *("--out", str(out / "detector.safetensors")),
        ],
    ],
}  # fmt: skip


def many(folder: Path) -> Path:
    """As many small images as a check needs."""
    folder.mkdir()
    for number in range(200):
        pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Sockets that may be made but not connected, and names that are not looked up."""
    tried: list[object] = []

    def refuse(*given: Any, **_: Any) -> Any:
        tried.append(given)
        raise OSError("the network was asked for")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    return tried


def test_every_verb_is_tried() -> None:
    assert set(VERBS) == set(COMMANDS) - {"quickstart", "sweep", "serve"}  # made of others; listens


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_needs_no_network(
    verb: str, image_folder: Path, finished: Path, tmp_path: Path, locked: list[object]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run, symlinks=True)
    for words in VERBS[verb]:
        assert main(words(image_folder, run, tmp_path)) == 0
    assert locked == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_nor_does_a_compiled_library(image_folder: Path, tmp_path: Path) -> None:
    """Seen by the system: ONNX Runtime has a voice of its own."""
    pytest.importorskip("onnxruntime")
    assert main(anomaly(image_folder, tmp_path, tmp_path)) == 0
    seen = tmp_path / "connections"
    subprocess.run(
        [
            *("strace", "-f", "-qq", "-e", "trace=connect", "-o", str(seen)),
            *(sys.executable, "-m", "nda", "export", str(tmp_path / "parts")),
            *("--format", "onnx", "--out", str(tmp_path / "detector.onnx")),
        ],
        check=True,
        env={**os.environ, "HOME": str(tmp_path / "home")},
    )
    lines = seen.read_text(encoding="utf-8").splitlines()
    reached = [line for line in lines if "AF_INET" in line]
    assert [line for line in reached if '"127.0.0.1"' not in line and "::1" not in line] == []
