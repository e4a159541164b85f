"""Rows of the table of scores, and pictures of heat that stay below their folder."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nda.report.pictures.heat import overlay
from nda.report.scored import HEADER, Scored, heated, picture_name, picture_of, save_heat


def scored(file: str, side: int = 8) -> Scored:
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (3, side, side), generator=rng, dtype=torch.uint8)
    heat = torch.rand(side // 4, side // 4, generator=rng)
    return Scored(file, "normal", "", 1.23456789, 1 / 3, pixels, heat)


@pytest.mark.parametrize(
    ("found", "row"),
    [
        (
            Scored("a/b.png", "anomalous", "", 12.3456789, 0.00990099),
            ("a/b.png", "12.3457", "0.00990099", "-2.004", "anomalous", ""),
        ),
        (Scored("b.png", "normal", "", -0.5, 1.0), ("b.png", "-0.5", "1", "0", "normal", "")),
        (Scored("c,d\n.png", "broken", "empty"), ("c,d\n.png", "", "", "", "broken", "empty")),
        (Scored("z.png", "normal", "", 0.0, 0.5), ("z.png", "0", "0.5", "-0.301", "normal", "")),
    ],
)
def test_the_row_of_a_file(found: Scored, row: tuple[str, ...]) -> None:
    assert found.row() == row
    assert len(row) == len(HEADER)


def test_pictures_are_the_image_and_the_image_under_its_heat() -> None:
    found = scored("x.png")
    assert found.pixels is not None
    assert found.heat is not None
    assert np.array_equal(
        np.asarray(picture_of(found.pixels)), found.pixels.permute(1, 2, 0).numpy()
    )
    under = overlay(found.pixels[None], found.heat[None])[0]
    assert np.array_equal(np.asarray(heated(found)), under.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("a.jpg", "a.jpg.png"),
        ("kind/deep/a.png", "kind/deep/a.png.png"),
        ("ü λ.jpg", "ü λ.jpg.png"),
        ("/tmp/x/a.jpg", "tmp/x/a.jpg~*.png"),
        ("///tmp//x/a.jpg", "tmp/x/a.jpg~*.png"),
        ("../../a.jpg", "a.jpg~*.png"),
        ("x/../../../a.jpg", "x/a.jpg~*.png"),
        ("./x/./a.jpg", "x/a.jpg~*.png"),
        ("C:\\x\\a.jpg", "C__x_a.jpg~*.png"),
        ('a*b?"c"<d>|e.jpg', "a_b__c__d__e.jpg~*.png"),
        ("..\\..\\a.jpg", ".._.._a.jpg~*.png"),
        ("..", "image~*.png"),
        ("/", "image~*.png"),
        ("", "image~*.png"),
        ("a\0\x1bb.jpg", "a__b.jpg~*.png"),
        ("ü" * 125 + ".jpg", "ü" * 100 + "~*.png"),
        ("a~0123456789abcdef", "a~0123456789abcdef~*.png"),
    ],
)
def test_pictures_lie_below_the_folder_as_the_files_do(
    tmp_path: Path, file: str, place: str
) -> None:
    found = scored(file)
    path = save_heat(found, tmp_path / "heat")
    assert fnmatchcase(str(path), str(tmp_path / "heat" / place))
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


@given(names=st.sets(st.text(alphabet='/\\.~ab"_', max_size=6), min_size=2))
def test_no_two_names_share_a_picture(names: set[str]) -> None:
    pictures = {name: picture_name(name) for name in names}
    again = set(pictures.values()) | {
        picture_name(p.removesuffix(".png")) for p in pictures.values()
    }
    assert len(set(pictures.values())) == len(names)
    assert len(again) >= len(names)
    changed = {p.removesuffix(".png") for p in pictures.values()} - names
    assert not {picture_name(name) for name in changed} & set(pictures.values())


@given(name=st.text(alphabet="./=+-@\t\rab＝", max_size=6))
def test_no_cell_is_a_formula_and_every_name_comes_back(name: str) -> None:
    row = Scored(name, "broken", "-2 of it").row()
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    assert row[5] == "reason: -2 of it"
    assert Scored.of(row).file == name
    if not name.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "./")):
        assert row[0] == name


def test_names_that_differ_in_their_ending_stay_apart(tmp_path: Path) -> None:
    first, second = (save_heat(scored(name), tmp_path) for name in ("a.jpg", "a.png"))
    assert first != second
