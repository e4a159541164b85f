"""Whether there is a card, told without torch."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from nda.runtime import cards
from nda.runtime.cards import card_is_likely


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(cards, "DEVICES", tmp_path)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("device", "likely"), [("nvidia0", True), ("kfd", True), ("dxg", True), ("nvidiactl", False)]
)
def test_a_driver_leaves_its_mark(linux: Path, device: str, likely: bool) -> None:
    assert not card_is_likely("auto")
    (linux / device).touch()
    assert card_is_likely("auto") is likely


def test_what_was_asked_for_counts(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert card_is_likely("cuda:1")
    (linux / "nvidia0").touch()
    assert not card_is_likely("cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not card_is_likely("auto")


def test_apples_processors_have_one(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert card_is_likely("auto")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert not card_is_likely("auto")
