"""`nda train RECIPE`: train, evaluate, report."""

from __future__ import annotations

from nda.commands.options import nearest, parse
from nda.errors import ConfigError
from nda.recipes import RECIPES


def train(words: list[str]) -> int:
    """Train the recipe that the first word names; gives the exit code."""
    if not words or words[0] in ("-h", "--help"):
        rows = "\n".join(
            f"  {name.replace('_', '-'):<14}{entry.summary}" for name, entry in RECIPES.items()
        )
        print(
            "usage: nda train RECIPE --data PATH --out RUN [options]\n\n"
            f"recipes:\n{rows}\n\n'nda train RECIPE --help' lists the options of a recipe."
        )
        return 0
    name = words[0].replace("-", "_")
    if name not in RECIPES:
        raise ConfigError(
            f"There is no recipe {name!r}{nearest(name, RECIPES)} Give one of {', '.join(RECIPES)}."
        )
    entry = RECIPES[name]
    config = parse(words[1:], entry.config_class(), command=f"train {name}", config_file=True)

    # After the parsing, so that --help does not wait for torch.
    from nda.commands.finish import finish
    from nda.training.begin import begin

    return finish(begin(entry.recipe(), config))
