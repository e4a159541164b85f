"""The file of `nda sweep --space`: which settings are searched, and among which values.

fake_weight: {low: 0.1, high: 0.9}
lr_d: {low: 1e-5, high: 1e-3, log: true}
negative: [none, jigsaw, cutout]
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from nda.errors import ConfigError
from nda.runtime.settings_file import FOREIGN, read_settings

FIXED = (
    "data",
    "out",
    "seed",
    "recipe",
    "evaluate_every",
    "full_size",
    "help",
)  # what a search is not about
_EXAMPLE = "give a list of values, or {low: 1e-5, high: 1e-3, log: true}"

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Value, ...]

    @property
    def tried(self) -> tuple[Value, ...]:
        """Values that must be settings for the search to begin."""
        return self.values


@dataclass(frozen=True)
class Range:
    """A number between two, both included; evenly in its logarithm with `log`."""

    low: float
    high: float
    log: bool
    whole: bool

    @property
    def tried(self) -> tuple[Value, ...]:
        return (self.low, self.high)


Space = dict[str, Choice | Range]


def read_space(path: str) -> Space:
    """The space in a YAML file.

    Raises `ConfigError` for a file that is missing or no space.
    """
    if not Path(path).is_file():
        raise ConfigError(f"--space {path} does not exist; give a YAML file of settings.")
    try:
        loaded = read_settings(path)
    except FOREIGN as error:
        why = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(f"--space {path} is no YAML of 'name: values' lines ({why}).") from error
    if not isinstance(loaded, dict) or not loaded:
        raise ConfigError(f"--space {path} holds no lines of 'name: values'; {_EXAMPLE}.")
    space: Space = {}
    for typed, given in loaded.items():
        name = str(typed).replace("-", "_")
        if name in space:
            raise ConfigError(f"{name} stands in the space twice; remove one.")
        space[name] = _part(name, given)
    return space


def fitted(space: Space, config: type) -> Space:
    """The space with ranges of what its settings are in the dataclass `config`.

    0 to 1 of a share are all numbers between, not two. Raises `ConfigError` for a range of what is
    no number; names that are no settings stay as they are.
    """
    hints = get_type_hints(config)
    return {
        name: _of_kind(name, part, {hints[name], *get_args(hints[name])})
        if isinstance(part, Range) and name in hints
        else part
        for name, part in space.items()
    }


def _of_kind(name: str, part: Range, kinds: set[Any]) -> Range:
    if not {int, float} & kinds:
        raise ConfigError(
            f"{name} goes from {part.low:g} to {part.high:g} in the space, and is no number; give "
            "a list of values."
        )
    if part.whole and int not in kinds:
        return replace(part, low=float(part.low), high=float(part.high), whole=False)
    return part


def words_of(values: dict[str, Any]) -> list[str]:
    """The values as they are typed on a command line."""
    return [f"--{name}={_word(value)}" for name, value in values.items()]


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _part(name: str, given: Any) -> Choice | Range:
    if name in FIXED:
        raise ConfigError(
            f"{name} stands in the space, and a search leaves it as it is; remove it."
        )
    if isinstance(given, list) and given and all(_is_value(each) for each in given):
        values = tuple(given)
        if len(set(map(_word, values))) < len(values):
            raise ConfigError(f"{name} has a value twice in the space: {given}; remove one.")
        return Choice(values)
    if isinstance(given, dict) and {"low", "high"} <= set(given) <= {"low", "high", "log"}:
        return _range(name, given)
    raise ConfigError(f"{name} is {given!r} in the space; {_EXAMPLE}.")


def _range(name: str, given: dict[str, Any]) -> Range:
    low, high = (_number(given[end]) for end in ("low", "high"))
    log = given.get("log", False)
    if low is None or high is None or not low < high or not isinstance(log, bool):
        raise ConfigError(
            f"{name} goes from {given['low']!r} to {given['high']!r} in the space; low and high "
            "are numbers, low the smaller one, and log is true or false."
        )
    if log and low <= 0:
        raise ConfigError(f"{name} begins at {low:g}, which has no logarithm; leave log out.")
    whole = all(type(given[end]) is int for end in ("low", "high"))
    return Range(int(low) if whole else low, int(high) if whole else high, log, whole)


def _is_value(given: Any) -> bool:
    return given is None or isinstance(given, str | int | float)


def _number(given: Any) -> float | None:
    """A finite number; YAML takes 1e-5, without a point, for text."""
    if isinstance(given, bool):
        return None
    try:
        found = float(given)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None
