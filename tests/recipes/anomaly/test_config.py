"""The configurations of the anomaly recipe that come with the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from nda.commands.parser import parse
from nda.negatives import negative_from_name
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.shipped import FOLDER

FILES = sorted((FOLDER / "anomaly").glob("*.yaml"))


def test_there_are_configurations() -> None:
    assert len(FILES) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configuration_is_valid_and_says_its_command(path: Path) -> None:
    words = ["--config", str(path), "--out", "run"]
    config = parse(words, AnomalyConfig, command="train anomaly", config_file=True)
    config.check()
    side = config.resolution or 16
    negative_from_name(config.negative).check(torch.zeros(config.batch_size, 3, side, side))
    commands = re.findall(r"^# nda train anomaly (.*)$", path.read_text(), re.MULTILINE)
    assert commands == [f"--config {path.stem} --out runs/{path.stem}"]
