"""Damage to bytes: what disks, transfers and careless editors do, and what ill will does."""

from __future__ import annotations

import random
import re

MOST = 4  # mutations of one file
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1)
WORDS = (
    b"-1", b"0", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b"99999999999999999999",
    b"\xff\xfe", b"\xef\xbb\xbf", b"../../x", b"\x1b[31m", b"&a [*a]", b"!!python/object:os.x",
    b"<!DOCTYPE x [<!ENTITY e 'e'>]>", b"\r", b"\t", b"\xed\xa0\x80", b"=1+1", b"[" * 3000,
)  # fmt: skip
TOKEN = re.compile(rb"[A-Za-z0-9_.+-]+")


def mutated(data: bytes, draws: random.Random, others: list[bytes]) -> bytes:
    """`data` with one to `MOST` mutations; `others` are whole files of the kind, to join with."""
    for _ in range(draws.randint(1, MOST)):
        kind = draws.choice(KINDS)
        data = kind(data, draws) if data else draws.choice(others)[: draws.randint(1, 64)]
    if draws.random() < 0.03:
        other = draws.choice(others)
        data = data[: draws.randint(0, len(data))] + other[draws.randint(0, len(other)) :]
    return data


def flip(data: bytes, draws: random.Random) -> bytes:
    """One bit."""
    at = draws.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draws.randrange(8))]) + data[at + 1 :]


def cut(data: bytes, draws: random.Random) -> bytes:
    """Cut short, as by a full disk or a broken transfer."""
    return data[: draws.randrange(len(data))]


def delete(data: bytes, draws: random.Random) -> bytes:
    """A part goes missing."""
    at, length = draws.randrange(len(data)), _length(data, draws)
    return data[:at] + data[at + length :]


def duplicate(data: bytes, draws: random.Random) -> bytes:
    """A part comes twice."""
    at, length = draws.randrange(len(data)), _length(data, draws)
    return data[: at + length] + data[at:]


def insert(data: bytes, draws: random.Random) -> bytes:
    """Foreign bytes, or something that means something in text."""
    at = draws.randrange(len(data) + 1)
    return data[:at] + draws.choice((draws.randbytes(draws.randint(1, 32)), *WORDS)) + data[at:]


def blank(data: bytes, draws: random.Random) -> bytes:
    """A block of zeros, as some file systems leave after a power cut."""
    at, length = draws.randrange(len(data)), _length(data, draws)
    return data[:at] + bytes(len(data[at : at + length])) + data[at + length :]


def number(data: bytes, draws: random.Random) -> bytes:
    """A size, offset or count somewhere in a header becomes an extreme one."""
    size = draws.choice((1, 2, 4, 8))
    at = draws.randrange(min(len(data), draws.choice((64, 512, 2**30))))
    value = draws.choice(NUMBERS) % 256**size
    order = draws.choice(("little", "big"))
    return (
        data[:at] + value.to_bytes(size, "big" if order == "big" else "little") + data[at + size :]
    )


def word(data: bytes, draws: random.Random) -> bytes:
    """A word of a text becomes another: a number out of range, another type, a word of its own."""
    found = list(TOKEN.finditer(data[:20000]))
    if not found:
        return insert(data, draws)
    match = draws.choice(found)
    new = draws.choice((*WORDS, draws.choice(found).group()))
    return data[: match.start()] + new + data[match.end() :]


def line(data: bytes, draws: random.Random) -> bytes:
    """Lines are swapped, repeated or left out."""
    lines = data.split(b"\n")
    at, other = draws.randrange(len(lines)), draws.randrange(len(lines))
    if draws.random() < 0.5:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at : at + 1] = [lines[other]] * draws.choice((0, 2, 200))
    return b"\n".join(lines)


KINDS = (flip, flip, flip, cut, delete, duplicate, insert, blank, number, number, word, word, line)


def _length(data: bytes, draws: random.Random) -> int:
    return draws.randint(1, max(1, min(len(data), draws.choice((4, 64, 4096)))))
