"""Settings of the numerosity recipe that are refused, and its configurations."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.recipes.numerosity.config import NumerosityConfig
from nda.recipes.shipped import FOLDER

FILES = sorted((FOLDER / "numerosity").glob("*.yaml"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"right_count": -1}, "right_count is -1; it must be at least 0."),
        ({"negative_counts": "4,6"}, "is 4,6, which includes the right count 6; leave it out"),
        ({"negative_counts": "4,five"}, "negative_counts is '4,five'; give whole numbers"),
        ({"negative": "none", "negative_counts": "4"}, "need --negative other_counts, not none."),
        ({"negative": "none", "negative_data": "x"}, "need --negative other_counts, not none."),
        ({"classes": "6"}, "chooses its folders by --right_count and --negative_counts"),
        ({"counter_data": "x"}, "counter_data needs --counter network, not dots."),
        ({"fake_weight": 1.5}, "fake_weight is 1.5; it must lie between 0 and 1."),
        ({"steps": 0}, "steps is 0; it must be at least 1."),
        ({"devices": 2}, "gradient_penalty differentiates twice"),
    ],
    ids=str,
)
def test_out_of_range(changes: dict[str, Any], message: str) -> None:
    config = dataclasses.replace(NumerosityConfig(data="data", out="run"), **changes)
    with pytest.raises(ConfigError, match=re.escape(message)):
        config.check()


def test_the_defaults_are_wgan_gp_as_published() -> None:
    config = NumerosityConfig(data="data", out="run")
    config.check()
    assert (config.network, config.objective, config.gradient_penalty) == (
        "wgan_gp",
        "wasserstein",
        10.0,
    )
    assert (config.d_steps, config.lr_d, config.lr_g) == (5, 1e-4, 1e-4)
    assert (config.beta1, config.beta2, config.resolution) == (0.0, 0.9, 64)


def test_the_gan_that_is_trained_learns_one_class_against_others() -> None:
    config = NumerosityConfig(data="data", out="run", negative_data="other", fake_weight=0.3)
    gan = config.as_gan([4, 7])
    assert (gan.classes, gan.negative, gan.negative_classes) == ("6", "data", "4,7")
    assert (gan.negative_data, gan.fake_weight, gan.network) == ("other", 0.3, "wgan_gp")
    assert gan.recipe == "gan"
    plain = dataclasses.replace(config, negative="none", negative_data=None).as_gan([])
    assert (plain.negative, plain.negative_classes) == ("none", None)


def test_counts_on_the_command_line_may_be_a_single_number() -> None:
    words = ["--data", "d", "--out", "o", "--negative_counts", "4"]
    config = parse(words, NumerosityConfig, command="train numerosity", config_file=True)
    assert config.wanted_counts == [4]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configuration_is_valid_and_says_its_commands(path: Path) -> None:
    words = ["--config", str(path), "--out", "run"]
    config = parse(words, NumerosityConfig, command="train numerosity", config_file=True)
    config.check()
    commands = re.findall(r"^# nda train numerosity (.*)$", path.read_text(), re.MULTILINE)
    assert commands == [f"--config {path.stem} --out runs/numerosity-{path.stem}"]
    assert re.search(r"^# nda data (dots|clevr) .*--out", path.read_text(), re.MULTILINE)
    assert "Expected:" in path.read_text()


def test_arms_differ_by_their_negatives_alone() -> None:
    def settings(name: str) -> dict[str, Any]:
        path = FOLDER / "numerosity" / name
        words = ["--config", str(path), "--out", "run"]
        config = parse(words, NumerosityConfig, command="train numerosity", config_file=True)
        dropped = ("negative", "negative_counts", "fake_weight")
        return {key: value for key, value in config.as_dict().items() if key not in dropped}

    for kind in ("dots", "clevr"):
        assert settings(f"cpu-{kind}.yaml") == settings(f"cpu-{kind}-none.yaml")
