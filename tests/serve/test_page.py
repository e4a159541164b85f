"""The page in a browser: images are dropped, judged, sorted, enlarged; limits are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from nda.evaluation.outliers.detector import Detector
from tests.serve.conftest import png
from tests.serve.test_app import dark_in_16_bits, expected
from tests.support.browser import CHROMIUM, opened

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is here")]
SEEDS = range(600, 606)  # more than a request takes


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_images_are_judged(
    address: str, detector: Detector, tmp_path: Path, width: int, scheme: str
) -> None:
    for seed in SEEDS:
        (tmp_path / f"{seed}.png").write_bytes(png(seed))
    (tmp_path / "text.png").write_text("no picture")
    with opened(address, width=width, scheme=scheme) as page:  # type: ignore[arg-type]
        files = sorted(str(path) for path in tmp_path.iterdir())
        page.get_by_label("choose them").set_input_files(files)
        page.get_by_text("flagged as anomalous.").wait_for()
        scores = {seed: expected(detector, seed)[0] for seed in SEEDS}
        names = page.locator(".scored .name").all_inner_texts()
        assert names == [f"{seed}.png" for seed in sorted(SEEDS, key=lambda s: -scores[s])]
        verdicts = page.locator(".scored .verdict").all_inner_texts()
        assert sorted(verdicts) == sorted(expected(detector, seed)[2] for seed in SEEDS)
        assert "text.png could not be scored" in page.locator(".broken").inner_text()
        page.get_by_label("Threshold, from strict to loose").fill("50")
        flagged = page.locator(".scored.anomalous").count()
        assert page.locator("output").inner_text().endswith(f" {flagged} of 6 images flagged.")
        assert page.locator(".opening").inner_text().startswith(f"{flagged} of 6 images")
        page.locator(".scored img").first.click()
        assert page.get_by_role("dialog").is_visible()
        page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_how_files_were_read_is_told(address: str, tmp_path: Path) -> None:
    (tmp_path / "dark.png").write_bytes(dark_in_16_bits(4096))
    with opened(address) as page:
        page.get_by_label("choose them").set_input_files(str(tmp_path / "dark.png"))
        page.get_by_text("flagged as anomalous.").wait_for()
        assert "1 16-bit image is almost black" in page.locator(".broken").inner_text()


def test_what_is_too_large_is_told(address: str, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"0" * 2**21)
    with opened(address, expected="413") as page:
        page.get_by_label("choose them").set_input_files(str(tmp_path / "large.png"))
        page.get_by_text("large.png: A request may have 1 MB").wait_for()
        assert page.get_by_text("0 of 0 images are flagged").is_visible()
