"""Pictures of one part: groups of files by their names, which stay on one side of every split."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from nda.errors import ConfigError


def named_groups(names: Sequence[str], pattern: str, where: str) -> Tensor:
    """Which files are of one part: int64 (N,), equal for those in whose path `pattern` finds alike.

    `pattern` is a regular expression; what its first parentheses hold, or all that it finds, is the
    name of the part: `(.*)/` for the folder, `part(\\d+)` for a number. Groups are numbered in the
    order of their first files.

    Raises `ConfigError` where the files at `where` have no names, or one of them does not match.
    """
    if not names:
        raise ConfigError(f"--group {pattern} asks for names of files, and {where} has none.")
    expression = re.compile(pattern)
    found = [expression.search(name) for name in names]
    missed = [name for name, match in zip(names, found, strict=True) if match is None]
    if missed:
        raise ConfigError(
            f"--group {pattern} is not found in {missed[0]}, nor in {len(missed) - 1:,} others of "
            f"{len(names):,} files; give a regular expression that every path has, such as (.*)/ "
            "for its folder."
        )
    parts = [match.group(1 if expression.groups else 0) for match in found if match is not None]
    numbers: dict[str | None, int] = {}
    return torch.tensor([numbers.setdefault(part, len(numbers)) for part in parts])


def one_of_each(groups: Tensor, seed: int = 0) -> Tensor:
    """Rows (G,) of an image of each group, drawn at random: the first may always be of one kind."""
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    drawn = {int(groups[row]): row for row in reversed(order.tolist())}
    return torch.tensor([drawn[group] for group in sorted(drawn)])
