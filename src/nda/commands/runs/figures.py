"""Figures on the terminal, beside their protocols."""

from __future__ import annotations

from itertools import groupby

from rich.console import Console
from rich.table import Table

from nda.evaluation.record import Evaluation, Protocol
from nda.report.tables import MetricTables, alone, in_cell, metric_tables
from nda.runtime.console import console

WIDEST = 9  # columns of a table that a terminal has room for


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the metrics of an evaluation, a table a protocol, then its notes."""
    out = console()
    out.print(f"measured at step {evaluation.step}:")
    for protocol, metrics in groupby(alone(evaluation.metrics), key=lambda metric: metric.protocol):
        table = Table(show_header=False, caption=in_words(protocol), caption_justify="left")
        for metric in metrics:
            table.add_row(metric.title, in_cell(metric))
        out.print(table)
    print_tables(out, metric_tables(evaluation.metrics))
    for note in evaluation.notes:
        out.print(f"note: {note}")


def print_tables(out: Console, found: MetricTables) -> None:
    """Print tables of figures, under each what was done for it, and at last what for all."""
    for each in found.tables:
        if len(each.columns) > WIDEST:
            out.print(f"{each.title} ...: {len(each.columns)} columns, in the report\n")
            continue
        table = Table(title=each.title, title_justify="left")
        table.add_column("", no_wrap=True)
        for column in each.columns:
            table.add_column(column, justify="right", min_width=6)
        for row, cells in each.rows:
            table.add_row(row, *cells)
        out.print(table)
        lines = [each.protocol, f"warning: {each.warning}" if each.warning else ""]
        for line in filter(None, lines):
            out.print(line)
        out.print()
    if found.tables:
        out.print(f"in all tables: {found.protocol}")
    for row, words in found.details:
        out.print(f"{row}: {words}")


def in_words(protocol: Protocol) -> str:
    """`name value` pairs, one after the other."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in protocol.items())
