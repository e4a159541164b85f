"""Names as they are meant: the same letters are one name, whatever bytes stand for them."""

from __future__ import annotations

import codecs
import unicodedata
import zipfile
from contextlib import suppress

_UTF8_FLAG = 0x800  # of a member of a zip whose name is said to be UTF-8


def composed(name: str) -> str:
    """The name in Unicode's composed form (NFC), by which names are compared.

    macOS writes "é" as two characters, other systems as one. Where the locale is not UTF-8, Python
    hides the bytes of a name behind surrogates: those that are UTF-8 become what they stand for.
    """
    if name.isascii():
        return name
    return unicodedata.normalize(
        "NFC", name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    )


def text_of(content: bytes) -> str:
    """The text of a list: UTF-8, or UTF-16 where a byte-order mark says so.

    Bytes that are neither become surrogates, as in names of files that hold such bytes. Raises
    `ValueError` for UTF-16 that is cut short.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig", "surrogateescape")


def whole_text(content: bytes) -> str:
    """`text_of` where no line may be bytes that are no text; raises `ValueError` for those."""
    text = text_of(content)
    text.encode()
    return text


def lines_of(content: bytes) -> list[str]:
    """The lines of a list (`text_of`) that are not empty, without blanks around them."""
    lines = text_of(content).replace("\r", "\n").split("\n")  # a name may hold other breaks
    return [line.strip() for line in lines if line.strip()]


def member_name(member: zipfile.ZipInfo) -> str:
    """The name of a member of a zip, also where UTF-8 was written without saying so."""
    name = member.filename
    if not member.flag_bits & _UTF8_FLAG and not name.isascii():
        with suppress(ValueError):  # of another encoding, which nobody can know
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")
