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


def mutated(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """`data` with one to `MOST` mutations; `others` are whole files of the kind, to join with."""
    for _ in range(rng.randint(1, MOST)):
        kind = rng.choice(KINDS)
        data = kind(data, rng) if data else rng.choice(others)[: rng.randint(1, 64)]
    if rng.random() < 0.03:
        other = rng.choice(others)
        data = data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]
    return data


def flip(data: bytes, rng: random.Random) -> bytes:
    """One bit."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Cut short, as by a full disk or a broken transfer."""
    return data[: rng.randrange(len(data))]


def delete(data: bytes, rng: random.Random) -> bytes:
    """A part goes missing."""
    at, length = rng.randrange(len(data)), _length(data, rng)
    return data[:at] + data[at + length :]


def duplicate(data: bytes, rng: random.Random) -> bytes:
    """A part comes twice."""
    at, length = rng.randrange(len(data)), _length(data, rng)
    return data[: at + length] + data[at:]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Foreign bytes, or something that means something in text."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((rng.randbytes(rng.randint(1, 32)), *WORDS)) + data[at:]


def blank(data: bytes, rng: random.Random) -> bytes:
    """A block of zeros, as some file systems leave after a power cut."""
    at, length = rng.randrange(len(data)), _length(data, rng)
    return data[:at] + bytes(len(data[at : at + length])) + data[at + length :]


def number(data: bytes, rng: random.Random) -> bytes:
    """A size, offset or count somewhere in a header becomes an extreme one."""
    size = rng.choice((1, 2, 4, 8))
    at = rng.randrange(min(len(data), rng.choice((64, 512, 2**30))))
    value = rng.choice(NUMBERS) % 256**size
    order = rng.choice(("little", "big"))
    return (
        data[:at] + value.to_bytes(size, "big" if order == "big" else "little") + data[at + size :]
    )


def word(data: bytes, rng: random.Random) -> bytes:
    """A word of a text becomes another: a number out of range, another type, a word of its own."""
    found = list(TOKEN.finditer(data[:20000]))
    if not found:
        return insert(data, rng)
    match = rng.choice(found)
    new = rng.choice((*WORDS, rng.choice(found).group()))
    return data[: match.start()] + new + data[match.end() :]


def line(data: bytes, rng: random.Random) -> bytes:
    """Lines are swapped, repeated or left out."""
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    if rng.random() < 0.5:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at : at + 1] = [lines[other]] * rng.choice((0, 2, 200))
    return b"\n".join(lines)


KINDS = (flip, flip, flip, cut, delete, duplicate, insert, blank, number, number, word, word, line)


def _length(data: bytes, rng: random.Random) -> int:
    return rng.randint(1, max(1, min(len(data), rng.choice((4, 64, 4096)))))
