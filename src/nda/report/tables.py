"""Figures that belong together, set out in one table with what was done for them under it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nda.evaluation.record import WARNING, Metric, Protocol
from nda.report.words import number, protocol_words

MOST_INTERVALS = 5  # columns: a wider table is set narrowly and shows the figures alone


@dataclass(frozen=True)
class MetricTable:
    """Rows of cells in words, under their columns; a cell without a figure is empty."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[str]]]
    protocol: str  # of all its figures, without what is the same in all tables
    warning: str

    @property
    def many(self) -> bool:
        """Whether it has so many columns that they must be narrow."""
        return len(self.columns) > MOST_INTERVALS


@dataclass(frozen=True)
class MetricTables:
    """The tables of an evaluation, and what was done alike for all of them."""

    tables: list[MetricTable]
    protocol: str
    details: list[tuple[str, str]]  # row, and what in its protocol is its own


def alone(metrics: Iterable[Metric]) -> list[Metric]:
    """The metrics that belong to no table."""
    return [metric for metric in metrics if not metric.table]


def metric_tables(metrics: Iterable[Metric]) -> MetricTables:
    """The tables of an evaluation, in the order in which their first figures stand."""
    titled: dict[str, list[Metric]] = {}
    for metric in metrics:
        if metric.table:
            titled.setdefault(metric.table, []).append(metric)
    every = [metric for some in titled.values() for metric in some]
    shared = _without(_common(every), [WARNING])
    return MetricTables(
        [_table(title, some, shared) for title, some in titled.items()],
        protocol_words(shared),
        _details(every),
    )


def in_cell(metric: Metric, *, narrow: bool = False) -> str:
    """A figure, and its interval where there is one and room: `0.6382 (0.6308 to 0.6456)`."""
    if metric.interval is None or narrow:
        return number(metric.value)
    low, high = metric.interval
    return f"{number(metric.value)} ({number(low)} to {number(high)})"


def _table(title: str, metrics: Sequence[Metric], shared: Protocol) -> MetricTable:
    columns = list(dict.fromkeys(metric.column for metric in metrics))
    rows = list(dict.fromkeys(metric.row for metric in metrics))
    narrow = len(columns) > MOST_INTERVALS
    cells = {(metric.row, metric.column): in_cell(metric, narrow=narrow) for metric in metrics}
    common = _common(metrics)
    return MetricTable(
        title,
        columns,
        [(row, [cells.get((row, column), "") for column in columns]) for row in rows],
        protocol_words(_without(common, [WARNING, *shared])),
        str(common.get(WARNING, "")),
    )


def _details(metrics: Sequence[Metric]) -> list[tuple[str, str]]:
    """What is the same throughout a row, in all tables that have it, and not in their other rows.

    A row of which nothing is left is not told of.
    """
    tables = dict.fromkeys(metric.table for metric in metrics)
    known = [name for table in tables for name in _common([m for m in metrics if m.table == table])]
    rows = dict.fromkeys(metric.row for metric in metrics)
    own = {
        row: _without(_common([metric for metric in metrics if metric.row == row]), known)
        for row in rows
    }
    return [(row, protocol_words(some)) for row, some in own.items() if some]


def _common(metrics: Sequence[Metric]) -> Protocol:
    """The parts of their protocols that are the same in all of them."""
    if not metrics:
        return {}
    first, *others = [metric.protocol for metric in metrics]
    return {
        name: value
        for name, value in first.items()
        if all(json.dumps(each.get(name)) == json.dumps(value) for each in others)
    }


def _without(protocol: Protocol, names: Iterable[str]) -> Protocol:
    left = set(names)
    return {name: value for name, value in protocol.items() if name not in left}
