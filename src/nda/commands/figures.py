"""Figures on the terminal, beside their protocols."""

from __future__ import annotations

from itertools import groupby

from rich.console import Console
from rich.table import Table

from nda.evaluation.record import Evaluation, Protocol


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the metrics of an evaluation, a table a protocol, then what was not measured."""
    console = Console()
    console.print(f"measured at step {evaluation.step}:")
    for protocol, metrics in groupby(evaluation.metrics, key=lambda metric: metric.protocol):
        table = Table(show_header=False, caption=in_words(protocol), caption_justify="left")
        for metric in metrics:
            table.add_row(metric.title, f"{metric.value:.4g}")
        console.print(table)
    for note in evaluation.notes:
        console.print(f"not measured: {note}", highlight=False)


def in_words(protocol: Protocol) -> str:
    """`name value` pairs, one after the other."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in protocol.items())
