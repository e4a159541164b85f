"""What `nda probe` prints."""

from __future__ import annotations

from nda.commands.tables.plain import plain_table
from nda.report.pages.probe import Probed
from nda.report.probe_table import ProbeTable
from nda.runtime.console import console


def show(probed: Probed) -> None:
    """Print what was probed, the table and how to read it."""
    out = console()
    out.print(probed.summary)
    for note in probed.notes:
        out.print(f"note: {note}")
    for audited in probed.audits:
        out.print(audited.sentence)
        show_table(audited.table)
    show_table(probed.table)


def show_table(probed: ProbeTable) -> None:
    """Print a table, why rows are missing and how to read it."""
    out, table = console(), plain_table()
    for column, heading in enumerate(probed.header):
        table.add_column(heading, justify="right" if column else "left", no_wrap=column > 0)
    for row in probed.rows:
        table.add_row(row.name, *(row.cells or ["not measured"]))
    out.print(table)
    for row in probed.rows:
        if row.refused:
            text = f"{row.name} was not measured: {row.refused}"
            out.print(text)
    out.print(probed.reading)
