"""`nda data KIND`: make a data set of whose images something is known, such as how many objects."""

from __future__ import annotations

import importlib

from nda.errors import ConfigError
from nda.validators import nearest

# What is made, and what makes it; imported only when it is asked for.
KINDS = {
    "dots": ("coloured dots on black", "nda.commands.verbs.data_kinds.dots", "data_dots"),
    "digits": (
        "three digits stacked: a thousand modes",
        "nda.commands.verbs.data_kinds.digits",
        "data_digits",
    ),
    "clevr": (
        "rendered scenes of cubes, spheres and cylinders",
        "nda.commands.verbs.data_kinds.clevr",
        "data_clevr",
    ),
    "shard": (
        "one's own images as tar shards, to train from",
        "nda.commands.verbs.data_kinds.shard",
        "data_shard",
    ),
}


def data(words: list[str]) -> int:
    """Make the kind of data that the first word names; gives the exit code."""
    if not words or words[0] in ("-h", "--help"):
        rows = "\n".join(f"  {name:<12}{summary}" for name, (summary, _, _) in KINDS.items())
        print(
            "usage: nda data KIND --out FILE.zip [options]\n\n"
            "Images of which it is known what they show, in one folder for each.\n\n"
            f"kinds:\n{rows}\n\n'nda data KIND --help' lists the options of a kind."
        )
        return 0
    name = words[0]
    if name not in KINDS:
        raise ConfigError(
            f"There is no kind of data {name!r}{nearest(name, KINDS)} Give one of "
            f"{', '.join(KINDS)}."
        )
    _, module, function = KINDS[name]
    return int(getattr(importlib.import_module(module), function)(words[1:]))
