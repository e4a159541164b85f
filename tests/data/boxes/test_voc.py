"""An annotation of Pascal VOC: what it says, and what is not read."""

from __future__ import annotations

import pytest

from nda.data.boxes.voc import parse_annotation

PLAIN = (
    "<annotation><size><width>500</width><height>342</height></size>"
    "<object><name> dog </name><difficult>1</difficult><bndbox><xmin>68</xmin><ymin>76.5</ymin>"
    "<xmax>426</xmax><ymax>209</ymax></bndbox><part><name>head</name><bndbox><xmin>1</xmin>"
    "</bndbox></part></object></annotation>"
)


def test_size_name_box_and_difficulty_are_read() -> None:
    size, (dog,) = parse_annotation(PLAIN.encode())
    assert size == (500, 342)
    assert (dog.name, dog.box, dog.difficult, dog.fault) == ("dog", (67, 75.5, 426, 209), True, "")


def test_utf_16_is_read_too() -> None:
    assert parse_annotation(PLAIN.encode("utf-16"))[1][0].name == "dog"


def test_size_and_difficulty_may_lack() -> None:
    text = "<annotation><object><name>a</name></object></annotation>"
    size, (found,) = parse_annotation(text.encode())
    assert size is None
    assert not found.difficult
    assert found.fault == "the box (, , , ) is not four numbers"


LAUGHS = (
    '<?xml version="1.0"{}?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<annotation>&b;</annotation>"
)


@pytest.mark.parametrize(
    "data",
    [
        LAUGHS.format("").encode(),
        LAUGHS.format("").encode("utf-16"),
        LAUGHS.format("").encode("utf-16-be"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><annotation/>',
    ],
)
def test_a_document_type_is_not_taken(data: bytes) -> None:
    with pytest.raises(ValueError, match="a document type, which is not taken"):
        parse_annotation(data)


def test_a_document_type_in_a_rare_encoding_is_not_taken_either() -> None:
    # In EBCDIC the bytes of "<!DOCTYPE" are others; whatever the parser makes of it, not a tree.
    with pytest.raises(ValueError, match=r"document type|no readable XML"):
        parse_annotation(LAUGHS.format(' encoding="cp037"').encode("cp037"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", "no readable XML"),
        ("", "no readable XML"),
        ("<html></html>", "its root is <html>, not <annotation>"),
        ("<annotation>&undefined;</annotation>", "no readable XML: undefined entity"),
    ],
)
def test_anything_else_is_not_read(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_annotation(text.encode())
