"""Settings out of range, and the configurations that come with the package."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.negatives import negative_from_name
from nda.recipes.gan.config import GanConfig
from nda.recipes.shipped import FOLDER

FILES = sorted((FOLDER / "gan").glob("*.yaml"))


def test_the_defaults_pass() -> None:
    GanConfig(data="data", out="run").check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1."),
        ({"batch_size": -3}, "batch_size is -3; it must be at least 1."),
        ({"seed": -1}, "seed is -1; it must be at least 0."),
        ({"seed": 2**63}, f"seed is {2**63}; it must be below 2^63."),
        ({"evaluate_every": -1}, "evaluate_every is -1"),
        ({"resolution": 0}, "resolution is 0"),
        ({"holdout": 1.0}, "holdout is 1.0; it is a share, at least"),
        ({"width": 0}, "width is 0"),
        ({"ema_start": -1}, "ema_start is -1; it must be at least 0."),
        ({"evaluation_samples": 5}, "evaluation_samples is 5; it must be at least 10."),
        ({"fake_weight": 1.5}, "fake_weight is 1.5; it must lie between 0 and 1."),
        ({"fake_weight": -0.1}, "fake_weight is -0.1; it must lie between 0 and 1."),
        ({"fake_weight": math.nan}, "fake_weight is nan; it must lie between 0 and 1."),
        ({"positive_probability": 2.0}, "positive_probability is 2.0"),
        ({"beta1": 1.0}, "beta1 is 1.0; it must be at least 0 and below 1."),
        ({"lr_d": 0.0}, "lr_d is 0.0; it must be above 0 and finite."),
        ({"lr_g": math.nan}, "lr_g is nan; it must be above 0 and finite."),
        ({"gradient_penalty": math.nan}, "gradient_penalty is nan; it must be at least 0."),
        ({"negative": "data"}, "--negative data needs --negative_data, --negative_classes or both"),
        ({"negative_classes": "a"}, "need --negative data, not jigsaw."),
        ({"conditional": True, "network": "dcgan"}, "--network dcgan is unconditional"),
        ({"conditional": True, "network": "wgan_gp"}, "--network wgan_gp is unconditional"),
        ({"gradient_penalty": 10.0, "devices": 2}, "use --devices 1, not 2."),
        ({"inception_weights": "no-such.pth"}, "inception_weights is no-such.pth, and there is no"),
    ],
    ids=str,
)
def test_out_of_range(changes: dict[str, Any], message: str) -> None:
    config = dataclasses.replace(GanConfig(data="data", out="run"), **changes)
    with pytest.raises(ConfigError, match=re.escape(message)):
        config.check()


def test_there_is_a_configuration_for_every_experiment() -> None:
    assert len(FILES) >= 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configuration_is_valid_and_says_its_command(path: Path) -> None:
    config = parse(
        ["--config", str(path), "--out", "run"], GanConfig, command="train gan", config_file=True
    )
    config.check()
    for name in (config.negative, config.positives):
        if name not in (None, "none", "data"):
            side = config.resolution or 32
            negative_from_name(name).check(torch.zeros(config.batch_size, 3, side, side))
    commands = re.findall(r"^# nda train gan (.*)$", path.read_text(), re.MULTILINE)
    assert commands == [f"--config {path.stem} --out runs/{path.stem}"]
