"""Words and numbers as they are written: in sentences, names of folders, lists in settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nda.errors import ConfigError


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with what it counts, as in `1 image`; `plural` where an s is not enough."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def count_of(word: str) -> int | None:
    """The count that a word is, written the only way (0, 1, 2, ...); None where it is none."""
    if not word.isascii() or not word.isdigit() or word != str(int(word)):
        return None
    return int(word)


def counts_of(text: str, setting: str) -> list[int]:
    """The counts in a list separated by commas, each once and in order.

    Raises `ConfigError`, naming the `setting`, where one of them is none.
    """
    counts = [count_of(word.strip()) for word in text.split(",")]
    if None in counts:
        raise ConfigError(
            f"{setting} is {text!r}; give whole numbers separated by commas, such as 4,5,7."
        )
    return sorted({count for count in counts if count is not None})


def at_least(config: object, name: str, smallest: float) -> None:
    """Refuse a setting below its smallest value (`ConfigError`)."""
    value = getattr(config, name)
    if not value >= smallest:  # so that NaN is refused as well
        raise ConfigError(f"{name} is {value}; it must be at least {smallest}.")


def above_zero(config: object, *names: str) -> None:
    """Refuse settings that are not above 0 and finite (`ConfigError`)."""
    for name in names:
        if not 0 < getattr(config, name) < float("inf"):
            raise ConfigError(f"{name} is {getattr(config, name)}; it must be above 0.")


def from_zero_to_one(config: object, *names: str) -> None:
    """Refuse settings that are no share: below 0 or above 1 (`ConfigError`)."""
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise ConfigError(f"{name} is {getattr(config, name)}; it must lie between 0 and 1.")


def from_zero_below_one(config: object, *names: str) -> None:
    """Refuse settings below 0, or at 1 and above, such as a decay of 1 (`ConfigError`)."""
    for name in names:
        if not 0 <= getattr(config, name) < 1:
            raise ConfigError(
                f"{name} is {getattr(config, name)}; it must be at least 0 and below 1."
            )


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean 'x'?` where something known is near, else a stop."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."
