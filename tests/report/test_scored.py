"""Rows of the table of scores, and pictures of heat that stay below their folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nda.report.heat import overlay
from nda.report.scored import HEADER, Scored, heated, plain, save_heat


def scored(file: str, side: int = 8) -> Scored:
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (3, side, side), generator=draws, dtype=torch.uint8)
    heat = torch.rand(side // 4, side // 4, generator=draws)
    return Scored(file, "normal", "", 1.23456789, 1 / 3, pixels, heat)


@pytest.mark.parametrize(
    ("found", "row"),
    [
        (
            Scored("a/b.png", "anomalous", "", 12.3456789, 0.00990099),
            ("a/b.png", "12.3457", "0.00990099", "anomalous", ""),
        ),
        (Scored("b.png", "normal", "", -0.5, 1.0), ("b.png", "-0.5", "1", "normal", "")),
        (Scored("c,d\n.png", "broken", "empty"), ("c,d\n.png", "", "", "broken", "empty")),
        (Scored("z.png", "normal", "", 0.0, 0.5), ("z.png", "0", "0.5", "normal", "")),
    ],
)
def test_the_row_of_a_file(found: Scored, row: tuple[str, ...]) -> None:
    assert found.row() == row
    assert len(row) == len(HEADER)


def test_pictures_are_the_image_and_the_image_under_its_heat() -> None:
    found = scored("x.png")
    assert found.pixels is not None
    assert found.heat is not None
    assert np.array_equal(np.asarray(plain(found)), found.pixels.permute(1, 2, 0).numpy())
    under = overlay(found.pixels[None], found.heat[None])[0]
    assert np.array_equal(np.asarray(heated(found)), under.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("a.jpg", "a.jpg.png"),
        ("kind/deep/a.png", "kind/deep/a.png.png"),
        ("/tmp/x/a.jpg", "tmp/x/a.jpg.png"),
        ("//tmp/x/a.jpg", "tmp/x/a.jpg.png"),
        ("///tmp//x/a.jpg", "tmp/x/a.jpg.png"),
        ("../../a.jpg", "a.jpg.png"),
        ("x/../../../a.jpg", "x/a.jpg.png"),
        ("./x/./a.jpg", "x/a.jpg.png"),
        ("C:\\x\\a.jpg", "C__x_a.jpg.png"),
        ('a*b?"c"<d>|e.jpg', "a_b__c__d__e.jpg.png"),
        ("..\\..\\a.jpg", ".._.._a.jpg.png"),
        ("..", "image.png"),
        ("/", "image.png"),
        ("", "image.png"),
        ("a\0b.jpg", "a_b.jpg.png"),
        ("ü λ.jpg", "ü λ.jpg.png"),
    ],
)
def test_pictures_lie_below_the_folder_as_the_files_do(
    tmp_path: Path, file: str, place: str
) -> None:
    found = scored(file)
    path = save_heat(found, tmp_path / "heat")
    assert path == tmp_path / "heat" / place
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), np.asarray(heated(found)))


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(file=st.text(alphabet="/\\.:a*\0 é", max_size=12))
def test_no_name_leads_out_of_the_folder(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "heat"
    path = save_heat(scored(file, 4), folder)
    assert path.is_file()
    assert path.resolve().is_relative_to(folder.resolve())
    path.unlink()  # the next name may need a folder here


def test_names_that_differ_in_their_ending_stay_apart(tmp_path: Path) -> None:
    first, second = (save_heat(scored(name), tmp_path) for name in ("a.jpg", "a.png"))
    assert first != second
