"""Tables on the terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table


def plain_table() -> Table:
    """A table whose columns fit 80 characters."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
