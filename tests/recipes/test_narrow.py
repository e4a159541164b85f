"""The settings for machines without a card fit their recipes, and are smaller than published."""

from __future__ import annotations

import pytest

from nda.recipes import RECIPES

NARROW = {name: entry.narrow for name, entry in RECIPES.items() if entry.narrow is not None}

NEEDED = {"data": "images", "out": "run"}
OWN = {"pix2pix": {"palette": "camvid"}}


@pytest.mark.parametrize("name", NARROW)
def test_narrow_settings_are_valid_and_smaller(name: str) -> None:
    config_class = RECIPES[name].config_class()
    narrow, own = NARROW[name], OWN.get(name, {})
    config = config_class(**NEEDED, **own, **narrow.beside(()))
    config.check()
    assert config.steps < config_class(**NEEDED, **own).steps / 10
    assert set(narrow.shown) <= {*narrow.beside(()), *RECIPES[name].at_hand(())}


def test_what_belongs_to_something_typed_is_left() -> None:
    chosen = NARROW["gan"].beside({"lr_d", "out"})
    assert not {"lr_d", "lr_g", "width"} & set(chosen)
    assert chosen["steps"] == 1000
    assert RECIPES["gan"].at_hand({"lr_d", "out"})["structure_head"] == 1.0
    for typed in ("negative", "fake_weight", "mixture"):  # the paper's mixture is meant
        assert RECIPES["gan"].at_hand({typed}) == {}
    assert "width" not in NARROW["action"].beside({"encoder"})
