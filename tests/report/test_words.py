from __future__ import annotations

import statistics
from typing import Any

import pytest

from nda.report import words as wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12_345, "12,345"),
        (12_345.6, "12,346"),
        (0.123456, "0.1235"),
        (57.881, "57.88"),
        (-3.0, "-3"),
        (0.0000123, "1.23e-05"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (8.44, "8.4 s"), (205, "3 min 25 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_mean_and_deviation_are_those_of_a_sample() -> None:
    values = [65.17, 69.46, 60.77]
    text, single = wording.mean_and_deviation(values)
    mean, deviation = (float(part) for part in text.split(" ± "))
    assert mean == pytest.approx(sum(values) / 3, abs=0.05)
    assert deviation == pytest.approx(statistics.stdev(values), abs=0.05)
    assert single == ["65.2", "69.5", "60.8"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([2.0, 2.0], "2 ± 0"),
        ([0.0011, 0.0013], "0.00120 ± 0.00014"),
        ([1000.0, 3000.0], "2,000 ± 1,414"),
    ],
)
def test_the_deviation_decides_on_the_digits(values: list[float], text: str) -> None:
    assert wording.mean_and_deviation(values)[0] == text


def test_protocols_in_words() -> None:
    protocol: dict[str, str | int | float | bool] = {
        "split": "test",
        "ema": True,
        "real_images": 10_000,
        "split_seed": 12_345,
        "holdout": 0.1,
    }
    assert wording.protocol_words(protocol) == (
        "split: test; EMA: yes; real images: 10,000; split seed: 12345; holdout: 0.1"
    )


@pytest.mark.parametrize(
    ("settings", "title"),
    [
        ({"recipe": "gan"}, "GAN"),
        ({"recipe": "linear_probe", "data": "cats"}, "Linear probe on cats"),
        (
            {"recipe": "gan", "data": "/a/b/faces.zip", "negative": "gaussian_noise"},
            "GAN on faces, negative gaussian noise",
        ),
        (
            {"recipe": "gan", "data": "torchvision:CIFAR10", "negative": "none"},
            "GAN on torchvision:CIFAR10, no negative",
        ),
        (
            {"recipe": "gan", "data": "d", "negative": "data", "negative_classes": "2,3"},
            "GAN on d, negatives from 2,3",
        ),
        (
            {"recipe": "gan", "data": "d", "negative": "data", "negative_data": "/x/other.zip"},
            "GAN on d, negatives from other",
        ),
    ],
)
def test_titles(settings: dict[str, Any], title: str) -> None:
    assert wording.run_title(settings) == title


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "not set"), (True, "yes"), (False, "no"), ([1, None], "1, not set"), (1e-8, "1e-08")],
)
def test_settings(value: Any, text: str) -> None:
    assert wording.setting(value) == text


@pytest.mark.parametrize("value", [1, 0.5, "38.1%", "-2", "±3", ".5"])
def test_numeric_cells(value: object) -> None:
    assert wording.is_numeric(value)


@pytest.mark.parametrize("value", ["with NDA", "–", "", "n = 3"])
def test_cells_of_text(value: object) -> None:
    assert not wording.is_numeric(value)
