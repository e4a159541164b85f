"""Alarms of streams that are drawn."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))
import drift_power as power


def test_a_change_is_seen_and_without_one_few_alarms_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "STREAMS", 40)
    monkeypatch.setattr(power, "LENGTH", 100)
    assert power.false_alarms(20, 0.1) <= 0.25
    assert power.alarm(0, 20, 0.01) == power.alarm(0, 20, 0.01)
    monkeypatch.setattr(power, "CHANGE", 50)
    monkeypatch.setattr(power, "WATCHED", 150)
    found = power.delays(50, 0.01, (1.0, 2.0))
    assert found["seen"] > 0.95
    assert 10 < found["median_images"] < 60
    assert power.delays(50, 0.01, (0.0, 9.0))["median_images"] is None


def test_a_late_change_is_seen_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "LATE", (0, 400))
    monkeypatch.setattr(power, "WATCHED", 150)
    found = power.late_delays((1.0, 2.0), streams=10)
    assert list(found) == [0, 400]
    assert all(10 < median < 60 for median in found.values())
