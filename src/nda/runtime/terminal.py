"""What reaches the terminal: text as it is, never as orders to the terminal.

Names of files are the users' or strangers', and may hold escape sequences that clear the screen,
change the title or hide a line. They are shown, in the spelling of Python: `\\x1b`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

# Control characters but line ends and tabs, marks that turn the direction of writing, and bytes
# that are no text.
_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """The text with every character that a terminal obeys spelled out."""
    return _ORDERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Shown:
    """A stream to which only what `shown` gives is written."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(shown(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def plain_output() -> Iterator[None]:
    """Within, what is printed is `shown`, and what an encoding lacks is spelled out too."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (
        cast(TextIO, Shown(stream)) if stream is not None else stream for stream in before
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
