"""The settings of the detection recipe: MoCo's by default, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.recipes.detection.config import DetectionConfig
from nda.recipes.shipped import FOLDER
from tests.support.tiny_detection import tiny_detection

CONFIGS = FOLDER / "detection"


def test_the_defaults_are_mocos() -> None:
    config = DetectionConfig(data="voc.zip", out="run")
    config.check()
    assert (config.steps, config.batch_size, config.lr, config.warmup) == (24_000, 16, 0.02, 100)
    assert config.first_drop * config.steps == 18_000
    assert config.second_drop * config.steps == pytest.approx(22_000)
    assert (min(config.sides(False)), max(config.sides(False))) == (480, 800)
    assert config.side_of_tests(False) == 800
    assert config.longest(False) == 1333
    assert config.anchor_sizes(False) == (32, 64, 128, 256, 512)


def test_encoders_of_small_images_get_small_images() -> None:
    config = DetectionConfig(data="voc.zip", out="run")
    assert max(config.sides(True)) == config.side_of_tests(True) == 128
    assert config.longest(True) == 213
    assert config.anchor_sizes(True) == (8, 16, 32, 64, 128)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_are_valid(path: Path) -> None:
    words = ["--config", str(path), "--data", "voc.zip", "--out", "run"]
    config = parse(words, DetectionConfig, command="train detection", config_file=True)
    config.check()
    # A run that is given as --encoder knows both, and refuses others.
    assert config.network is None
    assert config.width is None


@pytest.mark.parametrize("value", ["128", "96,128"])
def test_sides_are_given_as_text_of_numbers(value: str) -> None:
    words = ["--data", "voc.zip", "--out", "run", "--train_sides", value, "--anchors", value]
    config = parse(words, DetectionConfig, command="train detection", config_file=True)
    config.check()
    assert config.sides(False) == config.anchor_sizes(True) == tuple(map(int, value.split(",")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_sides": "480,big"}, "train_sides is '480,big'; give whole numbers from 32"),
        ({"train_sides": "16"}, "train_sides is '16'; give whole numbers from 32"),
        ({"anchors": ""}, "anchors is ''; give whole numbers from 1"),
        ({"test_side": 8}, "test_side is 8; it must be at least 32"),
        ({"longest_side": 8}, "longest_side is 8; it must be at least 32"),
        ({"resolution": 8}, "resolution is 8; it must be at least 32"),
        ({"precision": "bf16-mixed"}, "precision is bf16-mixed; detection takes 32-true"),
        ({"width": 0}, "width is 0; it must be at least 1"),
        ({"rois": 0}, "rois is 0; it must be at least 1"),
        ({"lr": float("nan")}, "lr is nan; it must be above 0"),
        ({"first_drop": 0.9, "second_drop": 0.5}, "first_drop is 0.9 and second_drop 0.5; they"),
        ({"compile": True}, "compile is not for detection"),
        ({"holdout": 0.2}, "holdout is 0.2, but detection takes its splits from lists by name"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_detection(Path("unused"), **changes).check()
