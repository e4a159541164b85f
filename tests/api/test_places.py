"""A wrong path is refused at once: before torch, whatever the verb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import nda
from nda.cli import main
from tests.support.processes import PATIENCE

WRONG = [
    ["preview", "photoz"],
    ["check", "photoz"],
    ["train", "gan", "--data", "photoz", "--out", "run"],
    ["train", "gan", "--data", "photos", "--out", "run", "--negative", "data",
     "--negative_data", "photoz"],
    ["train", "numerosity", "--data", "photoz", "--out", "run"],
    ["train", "anomaly", "--data", "photoz", "--out", "run"],
    ["train", "anomaly", "--data", "photos", "--normal_more", "photoz", "--out", "run"],
    ["train", "anomaly", "--data", "photos", "--reference", "photoz", "--out", "run"],
    ["train", "anomaly", "--data", "photos", "--negative", "texture", "--texture", "photoz",
     "--out", "run"],
    ["train", "pix2pix", "--data", "photoz", "--palette", "camvid", "--out", "run"],
    ["train", "pix2pix", "--data", "photos", "--target_data", "photoz", "--palette", "none",
     "--out", "run"],
    ["train", "moco", "--data", "photoz", "--out", "run"],
    ["train", "detection", "--data", "photoz", "--out", "run"],
    ["train", "detection", "--data", "photos", "--encoder", "photoz", "--out", "run"],
    ["train", "linear-probe", "--data", "photoz", "--encoder", "none", "--out", "run"],
    ["train", "linear-probe", "--data", "photos", "--encoder", "photoz", "--out", "run"],
    ["train", "dpc", "--data", "photoz", "--out", "run"],
    ["train", "dpc", "--data", "photos", "--split_file", "photoz", "--out", "run"],
    ["train", "action", "--data", "photoz", "--out", "run"],
    ["train", "gan", "--config", "photoz", "--out", "run"],
    ["resume", "photoz"],
    ["evaluate", "photoz"],
    ["score", "photoz", "photos"],
    ["score", "detector.safetensors", "photoz"],
    ["probe", "photoz", "photos"],
    ["probe", "torchvision:resnet18", "photoz"],
    ["sample", "photoz"],
    ["report", "photoz"],
    ["compare", "photoz"],
    ["export", "photoz"],
    ["data", "clevr", "--out", "x.zip", "--original", "photoz"],
]  # fmt: skip
ALL_AT_ONCE = """
import sys
from nda.cli import main
for words in {words!r}:
    assert main(words) == 2, words
    for slow in ("torch", "numpy", "lightning_fabric", "matplotlib"):
        assert slow not in sys.modules, (slow, words)
"""
WHAT_IT_TOOK = """
from nda.cli import main
for words in {words!r}:
    main(words)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["VmHWM"].split()[0])  # resource's peak has the parent's in it
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "detector.safetensors").touch()
    return tmp_path


def test_every_verb_refuses_a_wrong_path_before_torch_is_imported(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL_AT_ONCE.format(words=WRONG)],
        capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=here,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    said = done.stderr.splitlines()
    assert len(said) == len(WRONG)
    assert all(line.startswith("nda: ") and "photoz" in line for line in said)
    assert not (here / "run").exists()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_all_of_them_together_are_refused_in_200_mb(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHAT_IT_TOOK.format(words=WRONG)],
        capture_output=True, text=True, timeout=PATIENCE, check=True, cwd=here,
    )  # fmt: skip
    assert int(done.stdout) < 200_000  # kB; alone, each takes 32 MiB


def test_what_may_not_be_read_is_refused_there_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "more").mkdir()
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "more" and real(path, mode)
    )
    words = ["train", "anomaly", "--data", "photos", "--normal_more", "more", "--out", "run"]
    assert main(words) == 2
    said = "nda: more cannot be read. Check the path and its permissions.\n"
    assert capsys.readouterr().err == said


def test_beside_images_at_hand_a_wrong_path_is_refused_before_they_are_kept(here: Path) -> None:
    images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    settings: list[dict[str, Any]] = [{"normal_more": "photoz"}, {"texture": "photoz"}]
    for wrong in settings:
        with pytest.raises(nda.UserError, match=r"^There is no photoz\. Did you mean photos\?$"):
            nda.train("anomaly", data=images, out=here / "run", **wrong)
    assert not (here / "run").exists()


def test_the_nearest_name_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "photoz"]) == 2
    assert capsys.readouterr().err == "nda: There is no photoz. Did you mean photos?\n"
    assert main(["train", "gan", "--data", "elsewhere", "--out", "run"]) == 2
    assert capsys.readouterr().err == "nda: There is no elsewhere. Check the path.\n"
