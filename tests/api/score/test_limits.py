"""What flags an image: a rate, a score, or false discoveries."""

from __future__ import annotations

import math

import pytest
import torch

from nda.api.score.limits import Limit, limit_of, notes_of
from nda.errors import ConfigError
from nda.evaluation.outliers.detector import Detector, DetectorSettings, build_network
from nda.report.pages.score import ScoredImages
from nda.report.scored import Scored

KNOWN = torch.arange(19).float()


def detector(groups: int = 0) -> Detector:
    settings = DetectorSettings(
        resolution=16, fit="stretch", backbone="plain", width=8, negative="blemish",
        false_alarm_rate=0.1, step=1, data="", groups=groups,
    )  # fmt: skip
    return Detector(build_network("plain", 8), KNOWN, settings)


def test_without_a_word_it_is_the_rate_of_the_training() -> None:
    limit = limit_of(detector())
    rarity = torch.tensor([0.05, 0.1, 0.15, float("nan")], dtype=torch.float64)
    assert limit.flagged(rarity, rarity).tolist() == [True, True, False, False]
    assert limit.words == "at a false-alarm rate of 0.1"
    assert not limit.sentence


def test_a_score_is_a_limit_that_knows_its_rate() -> None:
    limit = limit_of(detector(), threshold=17.0)
    assert limit.rate == pytest.approx(3 / 20)  # 17 and 18 are as high, and the image itself
    scores = torch.tensor([16.9, 17.0, 40.0, float("nan")], dtype=torch.float64)
    assert limit.flagged(scores, scores).tolist() == [False, True, True, False]
    assert limit.heat == 0.1
    assert limit.words == "at a score of 17 or more (false-alarm rate 0.15)"
    assert "set by hand: of new normal images at most 0.15" in limit.sentence


def test_false_discoveries_are_settled_when_all_images_are_known() -> None:
    limit = limit_of(detector(), false_discovery_rate=0.5)
    settled = limit.settled([0.05, 0.1, 0.15, 0.9])
    assert settled.rate == 0.15
    assert settled.judged(Scored("a", "normal", "", 1.0, 0.15)).verdict == "anomalous"
    assert settled.judged(Scored("b", "anomalous", "", 1.0, 0.2)).verdict == "normal"
    assert settled.judged(Scored("c", "broken", "no picture")).verdict == "broken"
    # Of images left out in turn less is known: the rate is divided by 1 + 1/2 + 1/3 + 1/4.
    careful = limit_of(detector(groups=19), false_discovery_rate=0.5)
    assert careful.settled([0.05, 0.1, 0.15, 0.9]).rate == 0.15
    assert careful.settled([0.09, 0.19, 0.24, 0.9]).rate == 0
    assert limit.settled([0.09, 0.19, 0.24, 0.9]).rate == 0.24


def test_a_p_value_is_compared_as_it_is_written() -> None:
    limit = Limit(2 / 101, 0.1, None, 0.1)
    row = Scored("a", "normal", "", 1.0, 2 / 101).row()
    assert limit.judged(Scored.of(row)).verdict == "anomalous"
    assert float(row[3]) == pytest.approx(math.log10(2 / 101), abs=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"threshold": 1.0, "false_alarm_rate": 0.1}, "each say what is flagged; give one of them"),
        ({"threshold": float("inf")}, "threshold is inf; it is a score"),
        ({"false_discovery_rate": 1.5}, "false_discovery_rate is 1.5; it is a share"),
        ({"false_alarm_rate": 0.01}, "needs at least 99 normal images"),
    ],
)
def test_what_makes_no_sense_is_refused(words: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        limit_of(detector(), **words)


@pytest.mark.parametrize(("groups", "least"), [(0, 4), (19, 18)])
def test_it_is_said_how_many_must_be_as_rare(groups: int, least: int) -> None:
    found = detector(groups)
    limit = limit_of(found, false_discovery_rate=0.5)
    seen = ScoredImages(keep_pictures=False)
    for number in range(40):
        seen.add(Scored(str(number), "normal", "", 1.0, 0.5))
    (said,) = notes_of(limit, found, seen.total - seen.counts["broken"], seen.counts["anomalous"])
    assert f"of 40 images at least {least} must be as rare before any" in said
    rare = [1 / 20] * least + [1.0] * (40 - least)
    assert limit.settled(rare).rate == 1 / 20
    assert limit.settled([1.0, *rare[1:]]).rate == 0
