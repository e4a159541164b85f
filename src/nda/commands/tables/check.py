"""What `nda check` prints."""

from __future__ import annotations

from nda.commands.tables.plain import plain_table
from nda.report.check_table import HEADER, Checked, cells
from nda.runtime.console import console


def show(checked: Checked) -> None:
    """Print what was checked, the table, and the reasons."""
    out = console()
    out.print(checked.summary)
    for note in checked.notes:
        out.print(f"note: {note}")
    table = plain_table()
    for column, heading in enumerate(HEADER):
        short = heading.removesuffix(" AUROC")  # fits 80 columns
        table.add_column(short, justify="right" if 0 < column < 5 else "left", no_wrap=column > 0)
    for row in checked.negatives:
        table.add_row(row.title, *(["not measured"] if row.refused else cells(row, brief=True)))
    out.print(table)
    reading = "global, local: AUROCs of the probes that see all of an image, or 7 x 7 pixels of it."
    out.print(reading + " ± is half a 95 % interval.")
    for row in checked.negatives:
        why = f"not measured: {row.refused}" if row.judgement is None else row.judgement.reason
        out.print(f"{row.title}: {why}")
