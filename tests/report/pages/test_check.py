"""The table and the page of a check."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nda.evaluation.validity.check import CheckedNegative
from nda.evaluation.validity.distance import Distance
from nda.evaluation.validity.paired_auroc import Estimate, PairedAurocs
from nda.evaluation.validity.verdict import Judgement
from nda.report.check_table import HEADER, Checked, cells
from nda.report.pages.check import write_check_page

FOUND = PairedAurocs(
    Estimate(0.9531, 0.949, 0.957), Estimate(1.0, 1.0, 1.0), Estimate(-0.0469, -0.051, -0.043)
)
IMAGES = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)


def row(name: str, verdict: str = "too easy") -> CheckedNegative:
    judgement = Judgement(verdict, f"why <b>{name}</b>")  # type: ignore[arg-type]
    return CheckedNegative(name, "", FOUND, Distance(0.0312, 0.001), judgement, IMAGES)


def test_cells_stand_under_their_headings() -> None:
    assert cells(row("jigsaw")) == [
        ".953 [.949, .957]", "1.000 [1.000, 1.000]", "−.047 [−.051, −.043]", ".031", "too easy",
    ]  # fmt: skip
    assert len(cells(row("jigsaw"))) == len(HEADER) - 1
    assert cells(row("jigsaw"), brief=True)[0] == ".953 ±.004"


@pytest.mark.parametrize(
    ("value", "floor", "shown"),
    [(0.0312, 0.001, ".031"), (0.0008, 0.001, "≤.001"), (-0.001, -0.0002, "≤.001")],
)
def test_a_distance_within_the_datas_own_is_told_apart(
    value: float, floor: float, shown: str
) -> None:
    negative = row("jigsaw")
    changed = CheckedNegative(
        "jigsaw", "", negative.found, Distance(value, floor), negative.judgement, IMAGES
    )
    assert cells(changed)[3] == shown


def test_the_page_shows_every_negative_and_needs_nothing_else(tmp_path: Path) -> None:
    rows = [row("jigsaw", "informative"), row("mixup"), CheckedNegative("stitch", "odd <size>")]
    checked = Checked("Which?", "2 images", ["a note"], {"steps": 3}, rows, IMAGES)
    path = write_check_page(tmp_path / "new" / "page.html", checked, "nda check <x>")
    page = path.read_text()
    for text in ("jigsaw", "mixup", "stitch", "odd &lt;size&gt;", "a note", "nda check &lt;x&gt;"):
        assert text in page
    assert "<b>jigsaw</b>" not in page
    assert page.count("<svg") == 1
    assert page.count("data:image/png") == 3  # the images, and two negatives of them
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_a_page_of_refusals_alone_is_written(tmp_path: Path) -> None:
    checked = Checked("Which?", "2 images", [], {}, [CheckedNegative("stitch", "odd")], IMAGES)
    assert "odd" in write_check_page(tmp_path / "page.html", checked, "nda check").read_text()
