"""Packages of extras: found where they are, and named with what installs them where not."""

from __future__ import annotations

import json
import sys

import pytest

from nda.errors import ConfigError
from nda.extras import LITE0, require, require_lite0


def test_a_module_that_is_there_is_given() -> None:
    assert require("json", "Nothing", "none") is json


def test_a_missing_one_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ConfigError) as caught:
        require("sklearn", "The digits are scikit-learn's", "digits")
    assert str(caught.value) == (
        "The digits are scikit-learn's; install nda with its extra: pip install "
        "'nda-torch[digits]'."
    )


def test_who_asked_for_lite0_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, LITE0, None)
    with pytest.raises(ConfigError, match=r"^--features both needs the package efficientnet-lite0"):
        require_lite0("--features both")
