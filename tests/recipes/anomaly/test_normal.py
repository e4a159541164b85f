"""Normal images: held out or left out in turn, of which parts, and what they can promise."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nda.errors import ConfigError
from nda.recipes.anomaly.config import AnomalyConfig
from nda.recipes.anomaly.normal import load_normal, promised_rate, told_of_rate
from tests.support.tiny_anomaly import tiny_anomaly, write_surfaces


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_surfaces(tmp_path_factory.mktemp("surfaces") / "tiles")


def fitted(data: Path, **changes: Any) -> AnomalyConfig:
    config = tiny_anomaly(data, **{"method": "auto", "backbone": None, **changes})
    config.check()
    return config


def test_enough_images_are_held_out_and_few_are_left_out_in_turn(surfaces: Path) -> None:
    enough = load_normal(fitted(surfaces, false_alarm_rate=0.1))  # 9 of the 20 held out
    assert (len(enough.train), len(enough.calibration), enough.rows) == (40, 20, None)
    few = load_normal(fitted(surfaces, false_alarm_rate=0.02))
    assert (len(few.train), len(few.calibration)) == (60, 60)
    assert few.owners is not None
    assert few.owners.tolist() == few.rows.tolist() == list(range(60))  # type: ignore[union-attr]
    usual = load_normal(fitted(surfaces, false_alarm_rate=None))
    assert usual.rows is not None
    assert promised_rate(fitted(surfaces, false_alarm_rate=None), usual) == 0.0164  # 1 / 61


def test_a_network_that_is_trained_step_by_step_holds_images_out(surfaces: Path) -> None:
    normal = load_normal(tiny_anomaly(surfaces, false_alarm_rate=None))
    assert (len(normal.train), normal.owners) == (40, None)


def test_what_is_too_large_to_be_left_out_is_held_out(
    surfaces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nda.recipes.anomaly.normal.MOST_LEFT_OUT", 60 * 16)  # 4 x 4 places
    assert load_normal(fitted(surfaces, false_alarm_rate=None)).rows is not None
    monkeypatch.setattr("nda.recipes.anomaly.normal.MOST_LEFT_OUT", 60 * 16 - 1)
    assert load_normal(fitted(surfaces, false_alarm_rate=None)).rows is None
    asked = fitted(surfaces, false_alarm_rate=None, calibration="left_out")
    assert load_normal(asked).rows is not None


def test_the_setting_decides_where_it_is_given(surfaces: Path) -> None:
    held = fitted(surfaces, false_alarm_rate=None, calibration="held_out")
    assert load_normal(held).rows is None
    assert "'--calibration left_out' about 0.0164" in told_of_rate(held, load_normal(held))[0]
    left = fitted(surfaces, false_alarm_rate=0.5, calibration="left_out")
    assert len(load_normal(left).train) == 60


def test_what_can_be_promised_is_said_before_training(surfaces: Path) -> None:
    config = fitted(surfaces, false_alarm_rate=None)
    (said,) = told_of_rate(config, load_normal(config))
    assert said.startswith("All 60 normal images are trained on, and 60 of them calibrated on by")
    assert said.endswith("0.0164 is the smallest false-alarm rate that they can promise, and 0.01 "
                         "takes 99.")  # fmt: skip
    learned = tiny_anomaly(surfaces, false_alarm_rate=None)
    (said,) = told_of_rate(learned, load_normal(learned))
    assert (
        "'--holdout 0.5' would promise about 0.0323, '--method auto --calibration left_out' "
        in said
    )
    assert "about 0.0164; 0.01 takes 297 normal images." in said


def test_a_rate_that_cannot_be_promised_is_refused(surfaces: Path) -> None:
    config = fitted(surfaces, false_alarm_rate=0.01)
    with pytest.raises(ConfigError, match=r"at least 99 .* has 60 different ones. .* of 0.0164 or"):
        promised_rate(config, load_normal(config))


def test_pictures_of_a_part_stay_on_one_side(surfaces: Path, tmp_path: Path) -> None:
    names = sorted((surfaces / "train" / "good").iterdir())
    for number, name in enumerate(names):
        folder = tmp_path / f"part{number % 20:02d}"
        folder.mkdir(exist_ok=True)
        shutil.copy(name, folder / f"view{number // 20}.png")
    shown = {image.tobytes(): part for part, image in _pictures(tmp_path)}
    pattern = "(part[0-9]+)/"
    held = load_normal(fitted(tmp_path, group=pattern, calibration="held_out"))
    sides = [
        {shown[image.permute(1, 2, 0).numpy().tobytes()] for image in part.images}
        for part in (held.train, held.calibration)
    ]
    assert not sides[0] & sides[1]
    assert len(held.calibration) == len(sides[1]) == 7  # of 20 parts, one picture each
    assert len(held.train) == 3 * 13
    left = load_normal(fitted(tmp_path, group=pattern, calibration="left_out"))
    assert left.owners is not None
    assert left.rows is not None
    assert left.owners.bincount().tolist() == [3] * 20
    assert left.owners[left.rows].tolist() == list(range(20))
    assert len({int(row) % 3 for row in left.rows}) == 3  # not always the first view
    assert any("60 images are of 20 parts (--group)." in note for note in left.train.notes)


def _pictures(folder: Path) -> list[tuple[str, Any]]:
    return [
        (path.parent.name, np.array(Image.open(path).convert("RGB")))
        for path in sorted(folder.glob("*/*.png"))
    ]


def test_copies_join_the_groups_that_they_are_of(surfaces: Path, tmp_path: Path) -> None:
    names = sorted((surfaces / "train" / "good").iterdir())[:12]
    for number, name in enumerate(names):
        shutil.copy(name, tmp_path / f"{number // 3}-{number}.png")
    shutil.copy(names[0], tmp_path / "3-99.png")  # of the first part, called one of the fourth
    left = load_normal(fitted(tmp_path, group="^[0-9]", calibration="left_out"))
    assert left.owners is not None
    assert left.owners.bincount().tolist() == [7, 3, 3]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("part", "--group part is not found in train/good/000.png, nor in 59 others of 60 files"),
        ("(", r"group is '\(', which is no regular expression \(missing \)"),
    ],
)
def test_patterns_that_say_nothing_are_refused(surfaces: Path, pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_normal(fitted(surfaces, group=pattern))


def test_too_few_different_images_are_not_left_out(tmp_path: Path) -> None:
    for number in range(4):
        Image.new("RGB", (32, 32), (100 * (number % 2), 0, 0)).save(tmp_path / f"{number}.png")
    assert load_normal(fitted(tmp_path)).rows is None
    with pytest.raises(
        ConfigError, match="needs at least 3 different normal images or parts, and "
    ):
        load_normal(fitted(tmp_path, calibration="left_out"))


def test_learning_does_not_leave_images_out(surfaces: Path) -> None:
    with pytest.raises(ConfigError, match="--calibration left_out leaves every image out in turn"):
        fitted(surfaces, method="negatives", calibration="left_out")
