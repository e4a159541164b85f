"""The source that settings make: every setting about reading reaches it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nda.recipes import RECIPES

OTHER: dict[str, Any] = {
    "data": "elsewhere",
    "resolution": 48,
    "classes": "a, b",
    "fit": "stretch",
    "split_file": "lists",
    "fold": 3,
    "skip_broken": True,
    "bit_depth": 12,
    "cache": False,
}


@pytest.mark.parametrize(
    "recipe", ["gan", "numerosity", "anomaly", "moco", "linear-probe", "dpc", "action"]
)
def test_every_setting_about_reading_reaches_the_source(recipe: str) -> None:
    options = RECIPES[recipe].config_class()
    names = {each.name for each in dataclasses.fields(options)}
    given = OTHER | {"out": "run", "steps": 1, "encoder": "none"}
    source = options(**{name: given[name] for name in given.keys() & names}).source
    assert source.path == "elsewhere"
    assert source.classes == ["a", "b"]
    for name in (OTHER.keys() & names) - {"data", "classes"}:
        assert getattr(source, name) == OTHER[name], name
