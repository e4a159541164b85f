"""Consoles of rich: tables, colours and bars, which take the text in them as it is."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from nda.runtime.terminal import Shown, shown


class _Console(Console):
    """Takes what it is given as it is: no markup, no emoji, no orders."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(shown(text), **{**options, "markup": False, "emoji": False})


def console(*, stderr: bool = False) -> Console:
    """A console of rich on stdout or stderr: its own colours pass, orders in text do not."""
    stream = sys.stderr if stderr else sys.stdout
    plain = stream.stream if isinstance(stream, Shown) else stream
    return _Console(file=plain, markup=False, emoji=False, highlight=False)
