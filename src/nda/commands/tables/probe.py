"""What `nda probe` prints."""

from __future__ import annotations

from nda.commands.tables.plain import plain_table
from nda.report.pages.probe import Probed
from nda.runtime.console import console


def show(probed: Probed) -> None:
    """Print what was probed, the table and how to read it."""
    out = console()
    out.print(probed.summary)
    for note in probed.notes:
        out.print(f"note: {note}")
    table = plain_table()
    for column, heading in enumerate(probed.table.header):
        table.add_column(heading, justify="right" if column else "left", no_wrap=column > 0)
    for row in probed.table.rows:
        table.add_row(row.name, *(row.cells or ["not measured"]))
    out.print(table)
    for row in probed.table.rows:
        if row.refused:
            text = f"{row.name} was not measured: {row.refused}"
            out.print(text)
    out.print(probed.table.reading)
