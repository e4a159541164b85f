"""Metrics of several runs in one table, in which only like stands beside like."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nda.evaluation.record import Metric, Protocol
from nda.report.contents import RunContents
from nda.report.groups import Group
from nda.report.words import mean_and_deviation, number, protocol_pairs, setting

Key = tuple[str, str]  # name and protocol: what two metrics must share to be compared


@dataclass(frozen=True)
class Cell:
    """A group's figure; `details` says which runs it is made of."""

    text: str
    details: str = ""


@dataclass(frozen=True)
class Part:
    """A part of a protocol in words; `differs` where the rows of a metric are not alike in it."""

    name: str
    value: str
    differs: bool


@dataclass(frozen=True)
class Row:
    """Figures that may be compared: one protocol, one step, a cell a group."""

    step: int
    protocol: list[Part]
    cells: list[Cell | None]


@dataclass(frozen=True)
class Block:
    """A metric with a row for each protocol or step, and the table it belongs to, if to one."""

    title: str
    better: str
    rows: list[Row]
    table: str = ""

    @property
    def protocols_differ(self) -> bool:
        return any(part.differs for row in self.rows for part in row.protocol)


def protocol_key(protocol: Protocol) -> str:
    """The same text for the same protocol."""
    return json.dumps(protocol, sort_keys=True)


def metrics_over_steps(run: RunContents) -> dict[Key, dict[int, Metric]]:
    """Every metric of a run, by name and protocol, then by step."""
    found: dict[Key, dict[int, Metric]] = {}
    for evaluation in run.evaluations:
        for metric in evaluation.metrics:
            key = (metric.name, protocol_key(metric.protocol))
            found.setdefault(key, {})[evaluation.step] = metric
    return found


def metric_blocks(groups: Sequence[Group]) -> list[Block]:
    """The table's blocks, metrics in the order in which they were first measured."""
    measured = [[metrics_over_steps(run) for run in group.runs] for group in groups]
    keys = dict.fromkeys(key for group in measured for run in group for key in run)
    blocks = []
    for name in dict.fromkeys(name for name, _ in keys):
        found = [
            (step, [[run.get(key, {}).get(step) for run in group] for group in measured])
            for key in keys
            if key[0] == name
            for step in _steps_to_show(
                [run[key] for group in measured for run in group if key in run]
            )
        ]
        firsts = [_first(figures) for _, figures in found]
        unlike = _unlike([metric.protocol for metric in firsts])
        rows = [
            Row(
                step,
                _parts(metric.protocol, unlike),
                [_cell(some, group) for some, group in zip(figures, groups, strict=True)],
            )
            for (step, figures), metric in zip(found, firsts, strict=True)
        ]
        blocks.append(Block(firsts[0].title, firsts[0].better, rows, firsts[0].table))
    return blocks


def _steps_to_show(runs: Sequence[Mapping[int, Metric]]) -> list[int]:
    """The latest step at which all were measured; without one, the latest of each."""
    common = common_step(runs)
    return sorted({max(run) for run in runs}) if common is None else [common]


def common_step(runs: Sequence[Mapping[int, Metric]]) -> int | None:
    """The latest step at which all were measured, if there is one."""
    return max(set.intersection(*(set(run) for run in runs)), default=None)


def _first(figures: Sequence[Sequence[Metric | None]]) -> Metric:
    return next(metric for group in figures for metric in group if metric is not None)


def _unlike(protocols: Sequence[Protocol]) -> set[str]:
    """The names of a protocol's parts that are not the same everywhere."""
    names = {name for protocol in protocols for name in protocol}
    values = {name: {json.dumps(some.get(name)) for some in protocols} for name in names}
    return {name for name in names if len(values[name]) > 1}


def _parts(protocol: Protocol, unlike: set[str]) -> list[Part]:
    pairs = zip(protocol, protocol_pairs(protocol), strict=True)
    return [Part(words, value, name in unlike) for name, (words, value) in pairs]


def _cell(metrics: Sequence[Metric | None], group: Group) -> Cell | None:
    known = [
        (run, metric.value)
        for run, metric in zip(group.runs, metrics, strict=True)
        if metric is not None
    ]
    if not known:
        return None
    values = [value for _, value in known]
    if len(group.runs) == 1:
        return Cell(number(values[0]))
    count = f"n = {len(known)}"
    if len(known) < len(group.runs):
        seeds = ", ".join(setting(run.settings.get("seed")) for run, _ in known)
        count += f" of {len(group.runs)}, seed {seeds} only"
    if len(known) == 1:
        return Cell(number(values[0]), count)
    text, single = mean_and_deviation(values)
    return Cell(text, f"{count}: {', '.join(single)}")
