"""The page of scores: what is kept of many images, and a file that needs no other."""

from __future__ import annotations

import base64
import io
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nda.evaluation.outliers.detector import Detector, DetectorSettings, build_network
from nda.report.pages import score as score_page
from nda.report.pages.score import MOST, Judged, ScoredImages, judged_by, write_score_page
from nda.report.scored import Scored, heated
from tests.support.invented_runs import Read, check_scripts

SETTINGS = DetectorSettings(16, "stretch", "plain", 8, "cutmix+blemish", 0.05, 1500, "abc")


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.of(build_network("plain", 8), torch.linspace(-5, 5, 99), SETTINGS)


def result(file: str, score: float, *, side: int = 16, rate: float = 0.05) -> Scored:
    rng = torch.Generator().manual_seed(len(file))
    pixels = torch.randint(256, (3, side, side), generator=rng, dtype=torch.uint8)
    p_value = 0.01 if score > 4 else 0.5
    verdict = "anomalous" if p_value <= rate else "normal"
    return Scored(file, verdict, "", score, p_value, pixels, torch.rand(4, 4, generator=rng))


def seen_of(*results: Scored, pictures: bool = True) -> ScoredImages:
    seen = ScoredImages(keep_pictures=pictures)
    for each in results:
        seen.add(each)
    return seen


def page_of(
    seen: ScoredImages, detector: Detector, folder: Path, *, rate: float = 0.05, source: str = "set"
) -> str:
    path = folder / "page.html"
    write_score_page(path, seen, judged_by(detector, rate), source=source)
    return path.read_text()


# --- what is kept


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 8))
def test_the_highest_scores_are_kept_and_of_equals_the_earlier(
    scores: list[int], most: int
) -> None:
    seen = ScoredImages(keep_pictures=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_page, "MOST", most)
        for index, score in enumerate(scores):
            seen.add(result(f"{index}", float(score), side=4))
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    assert [each.file for each in seen.highest()] == [str(index) for index in order[:most]]
    assert seen.total == len(scores)
    assert list(seen.scores) == scores


def test_verdicts_are_counted_and_broken_files_named_up_to_a_number() -> None:
    broken = [Scored(f"{index}.png", "broken", "not an image") for index in range(MOST + 5)]
    seen = seen_of(result("a", 5.0), *broken, result("b", 0.0), result("c", 1.0))
    assert seen.counts == {"anomalous": 1, "normal": 2, "broken": MOST + 5}
    assert seen.total == MOST + 8
    assert len(seen.broken) == MOST
    assert seen.broken[-1] == (f"{MOST - 1}.png", "not an image")


def test_without_a_page_no_pictures_are_kept() -> None:
    seen = seen_of(result("a", 5.0), result("b", 0.0), pictures=False)
    assert seen.highest() == []
    assert len(seen.scores) == 0
    assert seen.counts["anomalous"] == 1


def test_what_is_kept_does_not_hold_its_batch_in_memory() -> None:
    batch = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    heat = torch.zeros(64, 4, 4)
    seen = seen_of(Scored("a", "normal", "", 1.0, 0.5, batch[3], heat[3]))
    (kept,) = seen.highest()
    for tensor in (kept.pixels, kept.heat):
        assert tensor is not None
        assert tensor.untyped_storage().nbytes() == tensor.nbytes
    batch.fill_(9)
    assert kept.pixels is not None
    assert not kept.pixels.any()


# --- the page


def test_the_page_needs_no_other_file_and_asks_for_nothing(
    detector: Detector, tmp_path: Path
) -> None:
    page = page_of(seen_of(result("a.png", 5.0), result("b.png", 1.0)), detector, tmp_path)
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "default-src 'none'" in page
    check_scripts(page)
    assert not re.findall(r"""(?:src|href)=["'](?!data:image/|#)""", page)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html"]


def test_the_most_anomalous_stand_first_each_beside_its_heat(
    detector: Detector, tmp_path: Path
) -> None:
    results = [result("low.png", -2.0), result("high.png", 5.0), result("x/mid.png", 1.5)]
    page = page_of(seen_of(*results), detector, tmp_path)
    alts = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', page)
    names = ["high.png", "x/mid.png", "low.png"]
    assert [alt for _, alt in alts] == [w for name in names for w in (name, f"heat of {name}")]
    with Image.open(io.BytesIO(base64.b64decode(alts[1][0]))) as image:
        shown = np.asarray(image).astype(int)
    expected = np.asarray(heated(results[1])).astype(int)
    assert np.abs(shown - expected).mean() < 30  # noise, after JPEG
    text = Read(page).text
    assert "anomalous · p = 0.01 · score 5 high.png" in text
    assert "1 of 3 images are flagged as anomalous" in text
    assert "could not be scored" not in text


def test_the_page_says_how_it_was_calibrated(detector: Detector, tmp_path: Path) -> None:
    text = Read(page_of(seen_of(result("a", 5.0)), detector, tmp_path, source="/x/tiles.zip")).text
    assert "Anomaly scores of tiles.zip" in text
    assert "flagged where its p-value is at most 0.05, which is a score above 4.59" in text
    assert "by the 99 that were kept from training" in text
    assert "at most 5 % are flagged on average" in text
    assert "transparent where 50 % of them have a worse one" in text
    assert "Trained for 1,500 steps against the negatives cutmix+blemish" in text
    assert "scored at 16 × 16 pixels (stretch)" in text


@pytest.mark.parametrize(
    ("source", "title"), [("-", "listed images"), (".", None), ("a/b", "b"), ("a/..", None)]
)
def test_the_title_names_the_source(
    detector: Detector, tmp_path: Path, source: str, title: str | None
) -> None:
    page = page_of(seen_of(result("a", 5.0)), detector, tmp_path, source=source)
    assert f"<title>Anomaly scores of {title or Path.cwd().name}</title>" in page


def test_a_high_rate_leaves_the_scale_within_the_shares(detector: Detector, tmp_path: Path) -> None:
    text = Read(page_of(seen_of(result("a", 5.0)), detector, tmp_path, rate=0.25)).text
    assert "transparent where 100 % of them have a worse one" in text


def test_names_are_escaped(detector: Detector, tmp_path: Path) -> None:
    evil = '<script>alert(1)</script>"onerror=x&.png'
    results = [result(evil, 5.0), Scored(f"broken/{evil}", "broken", "<b>bad</b>")]
    page = page_of(seen_of(*results), detector, tmp_path, source="<i>set</i>")
    check_scripts(page)
    assert "<b>bad" not in page
    assert "<i>set" not in page
    assert '"onerror' not in page
    text = Read(page).text
    assert text.count("<script>alert(1)") == 2
    assert "<b>bad</b>" in text


def test_names_of_bytes_that_are_no_text_are_shown(detector: Detector, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    page = page_of(seen_of(result(name, 5.0), Scored(name, "broken", "x")), detector, tmp_path)
    assert page.count("caf\\udce9.png") == 4  # two alternative texts, the card, the table


def test_only_so_many_pictures_are_shown(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_page, "MOST", 3)
    results = [result(f"{index}.png", float(index)) for index in range(7)]
    broken = [Scored(f"bad{index}.png", "broken", "an empty file") for index in range(5)]
    page = page_of(seen_of(*results, *broken), detector, tmp_path)
    assert page.count("<img") == 6
    text = Read(page).text
    assert "The 3 highest scores of 7; the table of scores has all." in text
    assert "2 of 12 images are flagged" in text
    assert "5 are normal and 5 could not be scored" in text
    assert "And 2 more, in the table of scores." in text
    for name, shown in (("6.png", True), ("4.png", True), ("3.png", False), ("bad2.png", True)):
        assert (name in text) == shown, name
    assert "bad3.png" not in text


def test_a_page_without_any_readable_image(detector: Detector, tmp_path: Path) -> None:
    page = page_of(seen_of(Scored("a/b.png", "broken", "an empty file")), detector, tmp_path)
    text = Read(page).text
    assert "0 of 1 image is flagged as anomalous" in text
    assert "a/b.png an empty file" in text
    assert "<img" not in page
    assert "<svg" not in page


def test_a_single_image_has_its_histogram(detector: Detector, tmp_path: Path) -> None:
    page = page_of(seen_of(result("a", 5.0)), detector, tmp_path)
    assert page.count("<svg") == 1
    assert "normal, calibrated on" in page
    assert "these images" in page


def test_videos_are_shown_by_a_frame_and_have_no_heat(tmp_path: Path) -> None:
    judged = Judged(
        calibration=torch.linspace(0, 1, 19),
        rate=0.1,
        how="The score is <the> surprise.",
        title="Surprise",
        axis="surprise",
        of="video",
        normal="videos like those of its training",
        heat=False,
        notes=["2 videos are <short>."],
    )
    frame = torch.zeros(3, 16, 16, dtype=torch.uint8)
    seen = seen_of(
        Scored("a", "normal", "", 0.5, 0.5, frame), Scored("b", "anomalous", "", 2.0, 0.05, frame)
    )
    write_score_page(tmp_path / "page.html", seen, judged, source="clips.zip")
    page = (tmp_path / "page.html").read_text()
    assert re.findall(r'<img [^>]*alt="([^"]+)"', page) == ["b", "a"]
    assert "these videos" in page
    text = Read(page).text
    for shown in (
        "Surprise of clips.zip",
        "2 videos are <short>.",
        "1 of 2 videos are flagged as anomalous",
        "A video is flagged where its p-value is at most 0.1",
        "how rare so high a score is among videos like those of its training, judged by the 19",
        "The score is <the> surprise.",
        "Videos, most anomalous first",
    ):
        assert shown in text
    assert "image" not in text
    assert "heat" not in text.lower()


def test_a_single_step_is_said_as_one(detector: Detector) -> None:
    detector.settings = replace(detector.settings, step=1)
    assert "Trained for 1 step against" in judged_by(detector, 0.2).how
