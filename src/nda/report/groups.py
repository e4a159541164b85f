"""Runs that differ by their seed alone belong together; the others stand for themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nda.report.contents import RunContents
from nda.report.words import data_name, in_words, setting

NOT_WHAT_WAS_TRIED = ("out", "seed")
MOST_NAMED = 2  # settings in the label of a group; with more, the folder's name is clearer


@dataclass(frozen=True)
class Group:
    """One run, or several that differ by seed only."""

    label: str
    runs: list[RunContents]


def group_by_seed(runs: Sequence[RunContents]) -> list[Group]:
    """Groups in the order of their first runs.

    Runs that share even the seed are not independent: such a set is not grouped.
    """
    alike: dict[str, list[RunContents]] = {}
    for run in runs:
        alike.setdefault(_what_was_tried(run), []).append(run)
    grouped: list[list[RunContents]] = []
    for some in alike.values():
        seeds = {setting(run.settings.get("seed")) for run in some}
        grouped += [some] if len(seeds) == len(some) else [[run] for run in some]
    tried = [name for name in _differing_names(runs) if name not in NOT_WHAT_WAS_TRIED]
    return [Group(_label(some, tried), some) for some in grouped]


def differing_settings(groups: Sequence[Group]) -> list[tuple[str, list[str]]]:
    """Each setting that is not the same in all runs, with its values group by group."""
    everyone = [run for group in groups for run in group.runs]
    rows = []
    for name in _differing_names(everyone):
        if name != "out":
            values = [[setting(run.settings.get(name)) for run in group.runs] for group in groups]
            rows.append((name, [", ".join(dict.fromkeys(some)) for some in values]))
    return rows


def _what_was_tried(run: RunContents) -> str:
    kept = {name: run.settings[name] for name in run.settings if name not in NOT_WHAT_WAS_TRIED}
    return json.dumps(kept, sort_keys=True, default=str)


def _differing_names(runs: Sequence[RunContents]) -> list[str]:
    names = dict.fromkeys(name for run in runs for name in run.settings)
    return [name for name in names if len({setting(run.settings.get(name)) for run in runs}) > 1]


def _label(runs: Sequence[RunContents], tried: Sequence[str]) -> str:
    if len(runs) == 1:
        return runs[0].label
    seeds = f"{len(runs)} seeds"
    if len(tried) > MOST_NAMED:
        return f"{runs[0].label} and its other seeds ({seeds})"
    named = [_named(name, runs[0].settings.get(name)) for name in tried]
    return f"{', '.join(named)} ({seeds})" if named else seeds


def _named(name: str, value: Any) -> str:
    return f"{in_words(name)} {data_name(setting(value))}"
