"""`nda configs`: the configurations that come with the package."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.recipes.shipped import Shipped, shipped
from nda.validators import nearest


@dataclass(frozen=True)
class ConfigsOptions:
    """List the configurations of the package, or print one to start a file of your own from.

    Args:
        name: a recipe, such as gan, or one of its configurations, such as gan/cpu-cifar10-jigsaw
    """

    name: str | None = None


def configs(words: list[str]) -> int:
    """List configurations with what they are and how long they take, or print the one named."""
    asked = parse(words, ConfigsOptions, command="configs", positional="name").name or ""
    if not asked or asked in RECIPES:
        print(listing(shipped(asked) if asked else shipped()))
        return 0
    found = [each for each in shipped() if asked.removesuffix(".yaml") in _names(each)]
    if len(found) > 1:
        names = " or ".join(f"{each.recipe}/{each.name}" for each in found)
        raise ConfigError(f"There are several configurations {asked!r}; give {names}.")
    if not found:
        known = [name for each in shipped() for name in _names(each)]
        raise ConfigError(
            f"There is no configuration {asked!r}{nearest(asked, [*RECIPES, *known])} "
            "'nda configs' lists them all."
        )
    print(found[0].text(), end="")
    return 0


def _names(config: Shipped) -> tuple[str, str]:
    return config.name, f"{config.recipe}/{config.name}"


def listing(found: list[Shipped]) -> str:
    """A line a configuration, under the command that takes it."""
    width = max((len(each.name) for each in found), default=0)
    lines = []
    for (recipe, small), group in groupby(found, lambda each: (each.recipe, each.for_processors)):
        size = "for processors" if small else "full size, for a GPU"
        lines.append(f"\nnda train {recipe} --config NAME --out RUN    ({size})")
        lines += [f"  {each.name:<{width}}  {each.summary}" for each in group]
    lines.append("\n'nda configs RECIPE/NAME' prints one: its settings, and what to expect of it.")
    return "\n".join(lines).lstrip("\n")
