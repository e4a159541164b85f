"""How `--help` looks: a short line of usage, options in groups, whole words, and an example."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable

import jsonargparse

from nda.commands.examples import EXAMPLES

# Options by what they are about; every other one belongs to the command itself.
GROUPS: dict[str, tuple[str, ...]] = {
    "what is read": (
        "data", "images", "run", "runs", "model", "resolution", "fit", "classes", "split",
        "holdout", "skip_broken", "bit_depth", "video", "split_file", "fold", "cache", "inputs",
        "targets", "target_data", "side_by_side", "palette", "palette_tolerance", "train_split",
        "test_split", "original",
    ),
    "what is written": (
        "out", "json", "html", "heatmaps", "overwrite", "resume", "format", "checkpoint_every",
        "keep_checkpoints", "log_every", "sample_every", "evaluate_every",
    ),
    "what it runs on": ("device", "devices", "precision", "compile", "workers"),
}  # fmt: skip
SETTINGS = "settings"
_WIDTH = 79


def group_of(name: str) -> str:
    """The group of an option by its name."""
    return next((title for title, names in GROUPS.items() if name in names), SETTINGS)


def ending(command: str, note: str = "") -> str:
    """The end of a command's help: a remark, and a line to type."""
    line = EXAMPLES.get(command)
    lines = wrapped(note, _WIDTH) + ([""] if note else [])
    return "\n".join([*lines, *(["example:", f"  {line}"] if line else [])])


class Formatter(jsonargparse.DefaultHelpFormatter):
    """Breaks lines between words only, keeps examples as they are, and leaves types out."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        """Only what must be given: all options follow below."""
        words = [
            f"--{action.dest} {action.dest.upper()}"
            for action in actions
            if action.option_strings and action.required
        ] + [
            self._format_args(action, self._get_default_metavar_for_positional(action))
            for action in actions
            if not action.option_strings
        ]
        super().add_usage(" ".join([self._prog, *words, "[options]"]), actions, groups, prefix)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if not action.option_strings or action.default in (None, argparse.SUPPRESS, [], ""):
            return text + (" (required)" if action.option_strings and action.required else "")
        if isinstance(action, argparse._HelpAction):
            return text
        if isinstance(action.default, bool):
            return text + f" (default: {str(action.default).lower()})"
        return text + " (default: %(default)s)"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "example:\n" in text:  # the end, whose lines stand as they are
            return text
        return "\n".join(indent + line for line in wrapped(text, width - len(indent)))


def wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words; what is longer than a line is broken after its commas only."""
    lines: list[str] = []
    for long in textwrap.wrap(
        " ".join(text.split()), width, break_long_words=False, break_on_hyphens=False
    ):
        rest = long
        while len(rest) > width and (cut := rest.rfind(",", 0, width) + 1):
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    return lines
