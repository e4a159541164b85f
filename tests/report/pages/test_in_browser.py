"""Pages in a browser: what the script adds, and that nothing is lost without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from nda.data.reading.normal_folders import NormalFolders
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import Detector, DetectorSettings, build_network
from nda.report.pages.compare import write_comparison
from nda.report.pages.run import write_report
from nda.report.pages.score import ScoredImages, judged_by, write_score_page
from nda.report.scored import Scored
from tests.support.browser import CHROMIUM, opened
from tests.support.invented_runs import whole_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is here")]
RATE, IMAGES = 0.05, 30
SETTINGS = DetectorSettings(16, "stretch", "plain", 8, "blemish", RATE, 1500, "abc")
CALIBRATION = torch.linspace(-5, 5, 99)
SCORES = torch.linspace(-6, 6, IMAGES)


@pytest.fixture(scope="module")
def scores_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("scores")
    (folder / "new images").mkdir()
    seen = ScoredImages(keep_pictures=True)
    for index, score in enumerate(SCORES.tolist()):
        p_value = float(p_values(torch.tensor(score), CALIBRATION))
        pixels = torch.randint(256, (3, 16, 16), dtype=torch.uint8)
        picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
        picture.save(folder / "new images" / f"{index:02}.png")
        verdict = "anomalous" if p_value <= RATE else "normal"
        seen.add(Scored(f"{index:02}.png", verdict, "", score, p_value, pixels, torch.rand(4, 4)))
    for index in range(9):
        seen.add(Scored(f"broken{index}.png", "broken", f"reason {9 - index}"))
    (folder / "scores.csv").write_text("file\n")
    detector = Detector.of(build_network("plain", 8), CALIBRATION, SETTINGS)
    source, table = str(folder / "new images"), str(folder / "scores.csv")
    page = folder / "page.html"
    write_score_page(page, seen, judged_by(detector, RATE), source=source, table=table)
    return page.as_uri()


@pytest.fixture(scope="module")
def run_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(whole_run(tmp_path_factory.mktemp("runs") / "a")).as_uri()


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    runs = [whole_run(folder / "a"), whole_run(folder / "b", negative="stitch")]
    return write_comparison(runs, folder / "comparison.html").as_uri()


LABELLED = [
    *(("good", score) for score in (-2.0, -1.0, -0.5, 1.0, 2.0, 4.7)),
    *(("hole", score) for score in (1.5, 6.0)),
]


@pytest.fixture(scope="module")
def labelled_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("labelled")
    seen = ScoredImages(keep_pictures=True, normal=NormalFolders(("good",)))
    pixels = torch.zeros(3, 16, 16, dtype=torch.uint8)
    for index, (kind, score) in enumerate(LABELLED):
        p_value = float(p_values(torch.tensor(score), CALIBRATION))
        verdict = "anomalous" if p_value <= RATE else "normal"
        name = f"{kind}/{index}.png"
        seen.add(Scored(name, verdict, "", score, p_value, pixels, torch.rand(4, 4)))
    detector = Detector.of(build_network("plain", 8), CALIBRATION, SETTINGS)
    page = folder / "page.html"
    write_score_page(page, seen, judged_by(detector, RATE), source=str(folder))
    return page.as_uri()


def dots(page: Page) -> list[tuple[float, float]]:
    """Places of the dots on the two charts, as shares of their axes."""
    found = page.locator(".dot").evaluate_all(
        """dots => dots.map((dot) => { const p = dot.dataset.place.split(' ').map(Number);
          return [(dot.cx.baseVal.value - p[1]) / p[2], (dot.cy.baseVal.value - p[4]) / p[5]]; })"""
    )
    return [(round(x, 3), round(y, 3)) for x, y in found]


def test_the_slider_moves_the_dots_and_counts_by_label(labelled_page: str) -> None:
    with opened(labelled_page) as page:
        said = page.locator("output").inner_text()
        assert said.endswith("2 of 8 images flagged: 1 of 2 anomalous, 1 of 6 normal.")
        assert dots(page) == [(0.167, 0.5), (0.5, 0.5)]
        said = set_slider(page, 0)
        assert said.endswith("1 of 8 images flagged: 1 of 2 anomalous, 0 of 6 normal.")
        assert dots(page) == [(0, 0.5), (0.5, 1)]
        last = int(page.locator("input[type=range]").get_attribute("max") or 0)
        assert set_slider(page, last).endswith(": 2 of 2 anomalous, 3 of 6 normal.")
        assert dots(page) == [(0.5, 1), (1, 0.4)]


def test_curves_have_names_and_stay_without_the_script(labelled_page: str) -> None:
    with opened(labelled_page, js=False) as page:
        charts = page.get_by_role("img", name="AUROC 0.833")
        assert charts.count() == 1
        assert page.get_by_role("img", name="Precision and recall: average precision").count() == 1
        assert dots(page) == [(0.167, 0.5), (0.5, 0.5)]
        assert page.locator(".opening").inner_text().startswith("It has learned nothing that this")


def test_charts_are_bright_where_the_page_is_dark(labelled_page: str, run_page: str) -> None:
    for address in (labelled_page, run_page):
        brightness = {}
        for scheme in ("light", "dark"):
            with opened(address, scheme=scheme) as page:
                brightness[scheme] = page.evaluate(
                    """() => { const light = (colour) =>
                        colour.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b);
                      return [light(getComputedStyle(document.querySelector('.card')).background),
                        ...[...document.querySelectorAll('.card text')].map(
                          (text) => light(getComputedStyle(text).fill))]; }"""
                )
        paper, *words = brightness["light"]
        assert paper > 700
        assert max(words) < 300
        paper, *words = brightness["dark"]
        assert paper < 150
        assert min(words) > 450


def set_slider(page: Page, place: int) -> str:
    slider = page.get_by_label("Threshold, from strict to loose")
    slider.fill(str(place))
    return page.locator("output").inner_text()


def flagged(page: Page) -> int:
    return page.locator(".scored.anomalous").count()


def test_the_threshold_begins_at_the_rate_of_the_scoring(scores_page: str) -> None:
    with opened(scores_page) as page:
        by_hand = int((p_values(SCORES, CALIBRATION) <= RATE).sum())
        assert flagged(page) == by_hand
        assert page.locator("output").inner_text() == (
            f"At a false-alarm rate of 5 %: a score above 4.592. {by_hand} of 30 images flagged."
        )


def test_another_threshold_flags_others_as_their_p_values_say(scores_page: str) -> None:
    with opened(scores_page) as page:
        last = int(page.locator("input[type=range]").get_attribute("max") or 0)
        for place, rate in ((0, "1 %"), (9, "10 %"), (last, "50 %")):
            said = set_slider(page, place)
            by_hand = int((p_values(SCORES, CALIBRATION) <= float(rate[:-2]) / 100 + 1e-9).sum())
            assert f"rate of {rate}:" in said
            assert f" {by_hand} of 30 images flagged." in said
            assert flagged(page) == by_hand
            words = page.locator(".scored .verdict").all_inner_texts()
            assert words.count("anomalous") == by_hand


def test_verdicts_that_follow_no_rate_stay_and_are_shown_by_choice(tmp_path: Path) -> None:
    seen = ScoredImages(keep_pictures=True)
    pixels = torch.zeros(3, 16, 16, dtype=torch.uint8)
    for index, verdict in enumerate(("anomalous", "normal", "anomalous")):
        seen.add(Scored(f"{index}.png", verdict, "", 0.0, 0.9, pixels, torch.rand(4, 4)))
    detector = Detector.of(build_network("plain", 8), CALIBRATION, SETTINGS)
    page_path = tmp_path / "page.html"
    judged = judged_by(detector, RATE, "Flagged where the score is 0 or more.")
    write_score_page(page_path, seen, judged, source="new")
    with opened(page_path.as_uri()) as page:
        assert flagged(page) == 2
        assert page.locator("input[type=range]").count() == 0
        page.get_by_label("normal").check()
        assert page.locator(".scored:visible").count() == 1


def test_the_keyboard_moves_it_too(scores_page: str) -> None:
    with opened(scores_page) as page:
        before = page.locator("output").inner_text()
        page.get_by_label("Threshold, from strict to loose").press("ArrowRight")
        assert page.locator("output").inner_text() != before


def test_cards_of_one_verdict_are_shown(scores_page: str) -> None:
    with opened(scores_page) as page:
        page.get_by_label("normal").check()
        assert page.locator(".scored:visible").count() == IMAGES - flagged(page)
        assert page.locator(".scored.anomalous:visible").count() == 0
        page.get_by_label("anomalous").check()
        assert page.locator(".scored:visible").count() == flagged(page)
        assert not page.locator(".none").is_visible()
        page.get_by_label("all").check()
        assert page.locator(".scored:visible").count() == IMAGES


def test_images_and_the_table_are_behind_links(scores_page: str) -> None:
    with opened(scores_page) as page:
        page.get_by_role("link", name="29.png").click()
        assert page.url.endswith("/new%20images/29.png")
        page.go_back()
        target = page.get_by_role("link", name="The table of scores").get_attribute("href")
        assert target == "scores.csv"


def test_pictures_are_enlarged_and_put_back(scores_page: str) -> None:
    with opened(scores_page) as page:
        picture = page.get_by_role("button", name="29.png", exact=True)
        for key in ("", "Enter"):
            picture.press(key) if key else picture.click()
            dialog = page.get_by_role("dialog", name="29.png")
            box = dialog.locator("img").bounding_box()
            assert box is not None
            assert box["width"] == 16 * 8
            target = dialog.get_by_role("link", name="Open the original").get_attribute("href")
            assert target is not None
            assert target.endswith("/new%20images/29.png")
            page.keyboard.press("Escape")
            assert not dialog.is_visible()


def test_tables_are_sorted_by_number_or_name_and_put_back(scores_page: str) -> None:
    with opened(scores_page) as page:
        head = page.get_by_role("button", name="Reason")
        cells = page.locator("tbody td:nth-child(2)")
        before = cells.all_inner_texts()
        head.click()
        assert cells.all_inner_texts() == sorted(before)
        assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Reason")
        head.click()
        assert cells.all_inner_texts() == sorted(before, reverse=True)
        head.click()
        assert cells.all_inner_texts() == before
        assert page.locator("th[aria-sort]").count() == 0


def test_names_that_begin_with_a_number_are_names(scores_page: str) -> None:
    with opened(scores_page) as page:
        page.evaluate(
            """() => document.querySelectorAll('tbody td:nth-child(1)').forEach(
                (cell, n) => (cell.textContent = `1_${'cab'[n % 3]}${n}.jpg`))"""
        )
        cells = page.locator("tbody td:nth-child(1)")
        before = cells.all_inner_texts()
        page.locator("th button.sort").first.click()
        assert cells.all_inner_texts() == sorted(before)


def test_rows_are_filtered(scores_page: str) -> None:
    with opened(scores_page) as page:
        page.get_by_label("Filter the rows of this table").fill("REASON 3")
        assert page.locator("tbody tr:visible").count() == 1
        assert page.get_by_text("1 of 9 rows").is_visible()


def test_numbers_are_sorted_by_value_and_empty_ones_last(comparison_page: str) -> None:
    with opened(comparison_page) as page:
        page.evaluate(
            """() => { const body = [...document.querySelectorAll('h2')]
                .find((h) => h.textContent === 'Runs').nextElementSibling.querySelector('tbody');
              const cells = [...body.querySelectorAll('tr')].map((row) => row.cells[1]);
              cells[0].textContent = '1,200 ± 3'; cells[1].textContent = '–';
              const times = [...body.querySelectorAll('tr')].map((row) => row.cells[3]);
              times[0].textContent = '2 h 5 min'; times[1].textContent = '12 min 5 s'; }"""
        )
        page.get_by_role("button", name="Steps").click()
        found = page.locator("tbody tr td:nth-child(2)").all_inner_texts()
        assert found[:2] == ["1,200 ± 3", "–"]
        page.get_by_role("button", name="Steps").click()
        assert page.locator("tbody tr td:nth-child(2)").all_inner_texts()[:2] == found[:2]
        page.get_by_role("button", name="Training time").click()
        found = page.locator("tbody tr td:nth-child(4)").all_inner_texts()
        assert found[:2] == ["12 min 5 s", "2 h 5 min"]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["scores_page", "labelled_page", "run_page", "comparison_page"])
def test_it_fits_every_window(
    which: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    with opened(request.getfixturevalue(which), width=width, scheme=scheme) as page:  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        colours = page.evaluate(
            "((body) => [body.color, body.backgroundColor])(getComputedStyle(document.body))"
        )
        light = [sum(map(int, each[4:-1].split(","))) for each in colours]
        assert (light[0] < light[1]) == (scheme == "light")
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, input, [role=button], a, img')]"
            ".filter((e) => !(e.ariaLabel || e.alt || e.textContent.trim() || e.labels?.length)"
            " && !e.closest('dialog')).length"
        )
        assert unnamed == 0


def test_without_the_script_everything_is_there(scores_page: str) -> None:
    with opened(scores_page, js=False) as page:
        assert page.locator(".scored").count() == IMAGES
        assert not page.locator(".threshold").is_visible()
        assert page.get_by_role("link", name="29.png").count() == 1


def test_no_other_script_runs(scores_page: str, tmp_path: Path) -> None:
    text = Path(scores_page.removeprefix("file://")).read_text("utf-8")
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", "<script>document.title = 'x'</script></body>"))
    with pytest.raises(AssertionError, match="Content Security Policy"), opened(page.as_uri()) as p:
        assert p.title() != "x"
