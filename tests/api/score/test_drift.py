"""`nda score --drift`: whether the images, in their order, stop being like the normal ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nda.api.score.drift import Drift
from nda.cli import main
from nda.errors import ConfigError
from nda.report.scored import Scored
from tests.api.score.test_limits import detector


def seen(scores: list[float | None], rate: float = 0.1) -> Drift:
    found = Drift(detector(), rate)
    for number, score in enumerate(scores, 1):
        verdict = "broken" if score is None else "normal"
        found.see(Scored(f"{number}.png", verdict, "", score))
    return found


def test_an_alarm_names_the_image_and_what_it_promises() -> None:
    drift = seen([9.5, None, *[40.0] * 30])
    at = drift.watch.alarm
    assert at is not None
    assert drift.file == f"{at + 1}.png"  # what cannot be read is not counted
    assert drift.notes()[0].startswith(
        f"drift: by image {at} ({at + 1}.png) the images were no longer like the normal ones held "
        "out; the odds against that reached 1"
    )
    assert drift.notes()[0].endswith("ever happens with a chance of at most 0.1")


def test_without_an_alarm_it_says_how_near_it_was() -> None:
    drift = seen([3.5, 12.5, 7.5, None])
    assert drift.notes()[0].startswith("no drift: 3 images may be as normal as those held out; ")
    assert drift.notes()[0].endswith("to 1, and the alarm is at 10")


def test_images_left_out_in_turn_are_no_measure() -> None:
    with pytest.raises(ConfigError, match="train it with --calibration held_out"):
        Drift(detector(groups=19), 0.1)


def test_pictures_of_one_part_in_a_row_are_no_stream() -> None:
    judge = detector()
    judge.settings = replace(judge.settings, parts=True)
    with pytest.raises(ConfigError, match=r"told of parts with several pictures \(--group\)"):
        Drift(judge, 0.1)


def test_the_command_says_it_in_a_note(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["score", str(run), str(photos), "--drift", "0.001", "--out", str(tmp_path / "s.csv")]
    assert main(words) == 0
    assert "note: no drift: 11 images may be" in capsys.readouterr().out
    assert main([*words[:4], "2", *words[5:], "--overwrite"]) == 2
    assert "drift is 2; it is the chance of an alarm" in capsys.readouterr().err


def test_what_a_detector_knows_is_not_changed_by_watching() -> None:
    judge = detector()
    before = judge.calibration.clone()
    drift = Drift(judge, 0.1)
    drift.see(replace(Scored("a", "normal", ""), score=-1.0))
    assert torch.equal(judge.calibration, before)


def test_a_scoring_that_goes_on_says_what_one_that_was_not_cut_off_does() -> None:
    judge = detector()
    judge.calibration += 1e-7 * judge.calibration  # digits that the table has not
    scores = [0.1 + number / 3 for number in range(30)] + judge.calibration.tolist()
    rows = [Scored("a.png", "normal", "", score) for score in scores]
    whole, resumed = Drift(judge, 1e-9), Drift(judge, 1e-9)
    for row in rows:
        whole.see(row)
        resumed.see(Scored.of(row.row()))
    assert list(whole.watch.known) == list(resumed.watch.known)
    assert whole.watch.highest == resumed.watch.highest
    assert whole.watch.capital == resumed.watch.capital
