"""What of a source was passed over, and why, in the words of every kind of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nda.data.reading.source import NO_FILES

_MOST = 8  # classes or endings that are named


def passed_reasons(passed: Mapping[str, int]) -> list[str]:
    """Files of endings that are not read, and what is no file (`Source.passed`), each counted."""
    reasons = []
    others = [f"{ending} {n:,}" for ending, n in sorted(passed.items()) if ending != NO_FILES]
    if others:
        reasons.append(f"files of endings that are not read ({first_few(others)})")
    if passed.get(NO_FILES):
        reasons.append(f"{NO_FILES} {passed[NO_FILES]:,}")
    return reasons


def with_passed(text: str, reasons: Sequence[str]) -> str:
    """A sentence on what was taken, with the reasons for which other things were not."""
    return f"{text}; passed over: {', '.join(reasons)}." if reasons else f"{text}."


def skipped_note(count: int, of: str = "image") -> str:
    """That `count` images, or what `of` says, could not be read."""
    return (
        f"1 {of} could not be read and was left out."
        if count == 1
        else f"{count:,} {of}s could not be read and were left out."
    )


def first_few(parts: Sequence[str]) -> str:
    """The first of a list, and how many more there are."""
    more = len(parts) - _MOST
    return ", ".join(parts[:_MOST]) + (f" and {more} more" if more > 0 else "")
