"""The configurations of videos: usable, complete, and alike but for the negative."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nda.negatives import negative_from_name
from nda.recipes import RECIPES
from nda.recipes.shipped import FOLDER

FILES = sorted([*(FOLDER / "dpc").glob("*.yaml"), *(FOLDER / "action").glob("*.yaml")])
DPC = {"ucf101": ("none", "jigsaw", "stitch", "cutout", "cutmix", "mixup"),
       "cpu-weizmann": ("none", "jigsaw", "stitch")}  # fmt: skip


def settings(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_can_be_used_and_says_how(path: Path) -> None:
    given = settings(path)
    assert given["recipe"] == path.parent.name
    config = RECIPES[given["recipe"]].config_class()(**given, out="unused")
    config.check()
    if config.recipe == "dpc" and config.negative != "none":
        negative_from_name(config.negative)
    head = path.read_text().splitlines()
    assert f"--config {path.stem} " in head[1]


@pytest.mark.parametrize("data", DPC)
def test_negatives_are_all_that_differs(data: str) -> None:
    found = {name: settings(FOLDER / "dpc" / f"{data}-{name}.yaml") for name in DPC[data]}
    for name, given in found.items():
        assert given.pop("negative") == name
        assert given.pop("negatives_from", "own") == "own"
    assert all(given == found["none"] for given in found.values())


def test_the_published_settings_are_the_defaults() -> None:
    for recipe, path in (("dpc", "ucf101-jigsaw"), ("action", "ucf101")):
        given = settings(FOLDER / recipe / f"{path}.yaml")
        default = RECIPES[recipe].config_class()(data="", out="", steps=1)
        for name, value in given.items():
            if name not in ("data", "split_file", "steps"):
                assert getattr(default, name) == value, name
