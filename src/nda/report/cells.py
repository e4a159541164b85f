"""Names in tables that programs read and spreadsheets open."""

from __future__ import annotations

import re

# What a spreadsheet takes for the beginning of a formula, also in full width.
_FORMULA = "=+\\-@\t\r\n＝＋－＠"
_TAKEN = re.compile(rf"(?:\./)*[{_FORMULA}]")
_MARKED = re.compile(rf"\./(?:\./)*[{_FORMULA}]")


def as_cell(name: str) -> str:
    """The name of a file as a cell that no spreadsheet computes: `=1+1.png` is `./=1+1.png`.

    Both are paths of the same file. `from_cell` gives the name back, whatever it is.
    """
    return f"./{name}" if _TAKEN.match(name) else name


def from_cell(cell: str) -> str:
    """The name that `as_cell` was given."""
    return cell[2:] if _MARKED.match(cell) else cell


def as_remark(text: str) -> str:
    """A sentence as a cell that no spreadsheet computes."""
    return f"reason: {text}" if _TAKEN.match(text) else text
