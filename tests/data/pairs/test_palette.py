"""Palettes: what is read, what is refused, and the nearest colour against a loop over pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nda.data.pairs.palette import (
    NAMED,
    Palette,
    load_palette,
    make_palette,
    nearest_classes,
    paint,
)
from nda.errors import DataError

SMALL = make_palette(
    [(0, "sky", 10, 20, 200), (3, "road", 100, 100, 100), (5, "void", 0, 0, 0)], "small"
)


@pytest.mark.parametrize("name", NAMED)
def test_named_palettes_have_a_class_for_what_has_none(name: str) -> None:
    palette = load_palette(name)
    assert palette.unlabelled is not None
    assert palette.names[palette.unlabelled].lower() == "unlabelled"
    assert len(set(palette.colours)) == len(palette.names)
    assert set(palette.indices.values()) == set(range(len(palette.names)))


def test_the_palettes_are_of_the_classes_that_are_evaluated() -> None:
    assert len(load_palette("camvid").names) == 11 + 1
    assert len(load_palette("cityscapes").names) == 19 + 1
    assert load_palette("cityscapes").indices[26] == load_palette("cityscapes").names.index("car")


def test_text_and_json_say_the_same(tmp_path: Path) -> None:
    text, json = tmp_path / "p.txt", tmp_path / "p.json"
    text.write_text("# a remark\n0 traffic light 1 2 3\n\n7 Void 4 5 6\n9 Void 7 8 9\n")
    json.write_text('[[0, "traffic light", 1, 2, 3], [7, "Void", 4, 5, 6], [9, "Void", 7, 8, 9]]')
    palette = load_palette(str(text))
    assert palette == load_palette(str(json))
    assert palette == Palette(
        ("traffic light", "Void"),
        ((1, 2, 3), (4, 5, 6)),
        {0: 0, 7: 1, 9: 1},
        {(1, 2, 3): 0, (4, 5, 6): 1, (7, 8, 9): 1},
        1,
    )


def test_a_palette_is_read_as_editors_on_windows_write_it(tmp_path: Path) -> None:
    text = "0 Straße 1 2 3\n1 b 4 5 6\n"
    (tmp_path / "plain.txt").write_text(text, encoding="utf-8")
    (tmp_path / "marked.txt").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    plain, marked = (load_palette(str(tmp_path / name)) for name in ("plain.txt", "marked.txt"))
    assert marked == plain
    assert plain.names == ("Straße", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 a 1 2 3\n1 b 1 2 3\n", r"a and b share the colour 1 2 3, so they cannot be told apart"),
        ("0 a 1 2 3\n0 b 4 5 6\n", r"a and b share the index 0, so they cannot be told apart"),
        ("0 a 1 2 3\n", r"has 1 classes; a palette needs 2 or more"),
        ("0 a 1 2 3\n1 b 4 5 256\n", r"b has a number outside 0\.\.255"),
        ("0 a 1 2 3\n300 b 4 5 6\n", r"b has a number outside 0\.\.255"),
        ("0 a 1 2 3\n1 Road\n", r"line 2: '1 Road' is not of the form 'index name red green blue'"),
        ("0 1 2 3\n", r"line 1: '0 1 2 3' is not of the form"),
        ("0 void 1 2 3\n1 unlabelled 4 5 6\n", r"void and unlabelled both say that a pixel has no"),
        ('[[0, "a", 1, 2]]', r"is no palette in JSON"),
        ("[[0, 1, 2, 3, 4]]", r"is no palette in JSON"),
        ("[", r"is no palette in JSON"),
        ('[[0, "a", 1e999, 2, 3]]', r"is no palette in JSON"),
        pytest.param("[" * 3000, r"is no palette in JSON", id="nested deep"),
    ],
)
def test_what_is_no_palette_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "palette.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_palette(str(path))


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no palette 'cityscape'\. Did you mean cityscapes\?"):
        load_palette("cityscape")
    with pytest.raises(DataError, match=f"{tmp_path} is no palette"):
        load_palette(str(tmp_path))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_the_nearest_class_is_that_of_a_loop_over_pixels(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (2, 3, 3, 4), generator=rng, dtype=torch.uint8)
    found = nearest_classes(images, SMALL)
    for image, classes in zip(images, found, strict=True):
        for row in range(3):
            for column in range(4):
                pixel = [int(value) for value in image[:, row, column]]
                distances = [
                    sum((a - b) ** 2 for a, b in zip(pixel, colour, strict=True))
                    for colour in SMALL.colours
                ]
                assert int(classes[row, column]) == distances.index(min(distances))


@pytest.mark.parametrize("name", NAMED)
def test_painted_classes_are_found_again(name: str) -> None:
    palette = load_palette(name)
    rng = torch.Generator().manual_seed(0)
    classes = torch.randint(0, len(palette.names), (2, 5, 6), generator=rng)
    assert torch.equal(nearest_classes(paint(classes, palette), palette), classes)


def test_a_palette_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "palette.txt"
    path.write_bytes("0 höhe 1 2 3\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"palette\.txt is no palette"):
        load_palette(str(path))
