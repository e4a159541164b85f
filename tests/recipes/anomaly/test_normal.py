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
    large = fitted(surfaces, false_alarm_rate=None)
    assert load_normal(large).rows is None
    (said,) = told_of_rate(large, load_normal(large))
    assert "'--calibration left_out' would promise 0.0164" in said
    asked = fitted(surfaces, false_alarm_rate=None, calibration="left_out")
    assert load_normal(asked).rows is not None


def test_the_setting_decides_where_it_is_given(surfaces: Path) -> None:
    held = fitted(surfaces, false_alarm_rate=None, calibration="held_out")
    assert load_normal(held).rows is None
    assert (
        "'--calibration left_out' would promise 0.0164" in told_of_rate(held, load_normal(held))[0]
    )
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
    assert "'--holdout 0.5' would promise 0.0323, '--method auto --calibration left_out' " in said
    assert "would promise 0.0164; 0.01 takes 295 normal images." in said


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
    message = r"has 2 different normal images, of which --holdout 0.333333 keeps 1 .* Give 3 or"
    with pytest.raises(ConfigError, match=message):
        load_normal(fitted(tmp_path))
    with pytest.raises(
        ConfigError, match="needs at least 3 different normal images or parts, and "
    ):
        load_normal(fitted(tmp_path, calibration="left_out"))


def some_of(surfaces: Path, folder: Path, count: int) -> Path:
    for path in sorted((surfaces / "train" / "good").iterdir())[:count]:
        shutil.copy(path, folder)
    return folder


@pytest.mark.parametrize("count", [20, 21])
@pytest.mark.parametrize("holdout", [0.4, 0.35, 0.3, 0.2])
def test_what_other_settings_would_promise_is_what_they_do(
    surfaces: Path, tmp_path: Path, holdout: float, count: int
) -> None:
    some_of(surfaces, tmp_path, count)

    def rate(**changes: Any) -> float:
        config = tiny_anomaly(tmp_path, false_alarm_rate=None, **changes)
        return promised_rate(config, load_normal(config))

    config = tiny_anomaly(tmp_path, false_alarm_rate=None, holdout=holdout)
    normal = load_normal(config)
    (said,) = told_of_rate(config, normal)
    one_in = round(1 / holdout)
    assert said.startswith(
        f"{len(normal.calibration)} of {count} normal images are kept to calibrate on (one in "
        f"{one_in}), which can promise a false-alarm rate of {rate(holdout=holdout):g} and none"
    )
    half = f"'--holdout 0.5' would promise {rate(holdout=0.5):g},"
    assert (half in said) == (one_in > 2)
    left = rate(method="auto", backbone=None, calibration="left_out")
    assert f"'--method auto --calibration left_out' would promise {left:g};" in said
    needed = int(said.split("0.01 takes ")[1].split()[0])
    assert len(range(0, needed, one_in)) == 99  # every k-th from the first
    assert len(range(0, needed - 1, one_in)) == 98


def test_a_share_that_is_rounded_is_told_with_a_rate_that_holds(surfaces: Path) -> None:
    rounded = tiny_anomaly(surfaces, holdout=0.4, false_alarm_rate=0.1)
    said = told_of_rate(rounded, load_normal(rounded))
    assert said == ["30 of 60 normal images are kept to calibrate on (one in 2)."]
    exact = tiny_anomaly(surfaces, holdout=0.5, false_alarm_rate=0.1)
    assert told_of_rate(exact, load_normal(exact)) == []


def test_pretrained_features_are_proposed_where_they_are_at_hand(
    surfaces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_anomaly(surfaces, false_alarm_rate=None)
    normal = load_normal(config)
    monkeypatch.setattr("nda.recipes.anomaly.normal.find_spec", lambda name: name)
    assert "--method auto" in told_of_rate(config, normal)[0]
    monkeypatch.setattr("nda.recipes.anomaly.normal.find_spec", lambda _: None)
    assert "--method auto" not in told_of_rate(config, normal)[0]


@pytest.mark.parametrize(
    ("count", "holdout", "message"),
    [
        (5, 0.2, r"has 5 different .* --holdout 0.2 keeps 1 to calibrate on and leaves 4 to train "
                 r"on; each needs 2\. Give 6 or more, or a larger --holdout\.$"),
        (3, 0.5, r"has 3 .* keeps 2 to .* leaves 1 to train on; each needs 2\. Give 4 or more\.$"),
        (20, 0.001, r"has 20 .* keeps 1 to .* leaves 19 .* Give 1,001 or more, or a larger"),
    ],
)  # fmt: skip
def test_too_few_images_to_keep_some_are_refused(
    surfaces: Path, tmp_path: Path, count: int, holdout: float, message: str
) -> None:
    config = tiny_anomaly(some_of(surfaces, tmp_path, count), holdout=holdout)
    with pytest.raises(ConfigError, match=message):
        load_normal(config)
    if holdout > 0.1:  # as many as the message asks for are enough
        some_of(surfaces, tmp_path, 6 if holdout == 0.2 else 4)
        normal = load_normal(config)
        assert len(normal.train) >= 2
        assert len(normal.calibration) == 2


def test_two_parts_are_too_few_and_one_is_no_copy(surfaces: Path, tmp_path: Path) -> None:
    some_of(surfaces, tmp_path, 12)
    with pytest.raises(ConfigError, match=r"has 2 parts, of which --holdout 0.5 keeps 1 to cal"):
        load_normal(tiny_anomaly(tmp_path, group="^..", holdout=0.5))
    shutil.copy(tmp_path / "000.png", tmp_path / "010b.png")  # joins the two
    with pytest.raises(ConfigError, match=r"has 1 part, of which .* leaves 0 to train on"):
        load_normal(tiny_anomaly(tmp_path, group="^..", holdout=0.5))


def test_all_that_is_not_trained_on_is_counted(surfaces: Path, tmp_path: Path) -> None:
    some_of(surfaces, tmp_path, 40)
    normal = load_normal(tiny_anomaly(tmp_path, group="^..", holdout=0.5))  # 4 parts of 10
    assert (len(normal.train), len(normal.calibration), normal.kept_out) == (20, 2, 20)
    left = load_normal(fitted(tmp_path, calibration="left_out"))
    assert (len(left.train), left.kept_out) == (40, 0)


def test_learning_does_not_leave_images_out(surfaces: Path) -> None:
    with pytest.raises(ConfigError, match="--calibration left_out leaves every image out in turn"):
        fitted(surfaces, method="negatives", calibration="left_out")
