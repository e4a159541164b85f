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

    Raises `ConfigError` where the files at `where` have no names, one of them does not match or
    gives its part no name, and where all are of one part.
    """
    if not names:
        raise ConfigError(f"--group {pattern} asks for names of files, and {where} has none.")
    expression = re.compile(pattern)
    found = [expression.search(name) for name in names]
    missed = [name for name, match in zip(names, found, strict=True) if match is None]
    if missed:
        raise ConfigError(
            f"--group {pattern} is not found in {missed[0]}, nor in {len(missed) - 1:,} others of "
            f"{len(names):,} files; give a regular expression that every path has, such as "
            f"{_example(missed[0], names)}."
        )
    parts = [match.group(1 if expression.groups else 0) for match in found if match is not None]
    for name, part in zip(names, parts, strict=True):
        if not part:
            raise ConfigError(
                f"--group {pattern} finds no character in {name} that could name its part; give a "
                f"regular expression that finds some, such as {_example(name, names)}."
            )
    if len(set(parts)) == 1 and len(names) > 1:
        raise ConfigError(
            f"--group {pattern} puts all {len(names):,} images into one part ({parts[0]!r}), of "
            "which none can be kept from training; give a regular expression that tells parts "
            "apart, or leave --group out."
        )
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(part, len(numbers)) for part in parts])


def _example(name: str, names: Sequence[str]) -> str:
    """A pattern that is found in this file's path; by folders only where there are several."""
    folders = {each.rpartition("/")[0] for each in names}
    if "/" in name and len(folders) > 1:
        return "(.*)/ for its folder"
    return "([^/]{3})[^/]*$ for the first three characters of its name"


def one_of_each(groups: Tensor, seed: int = 0) -> Tensor:
    """Rows (G,) of an image of each group, drawn at random: the first may always be of one kind."""
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    drawn = {int(groups[row]): row for row in reversed(order.tolist())}
    return torch.tensor([drawn[group] for group in sorted(drawn)])
