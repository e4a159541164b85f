"""The settings of a recipe, from names and values, as from the words of a command line."""

from __future__ import annotations

from typing import Any

from nda.api.options import options_of, plain
from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.recipes.shipped import settings_file
from nda.runtime.cards import card_is_likely
from nda.runtime.files import StrPath
from nda.runtime.settings_file import FOREIGN, read_settings
from nda.validators import nearest


def recipe_settings(
    recipe: str, *, config: StrPath | None, full_size: bool, **settings: Any
) -> Any:
    """The settings of a recipe, checked; those of the file `config` stand below the others.

    Without a card the recipe's narrow settings are its defaults, unless a file or `full_size` is
    given, as from the command line. Raises `ConfigError`.
    """
    name = str(recipe).replace("_", "-")
    if name not in RECIPES:
        raise ConfigError(
            f"There is no recipe {recipe!r}{nearest(name, RECIPES)} Give one of "
            f"{', '.join(RECIPES)}."
        )
    entry = RECIPES[name]
    filed = {} if config is None else _filed(settings_file(config, name), name)
    if config is None:
        settings = entry.at_hand(settings) | settings
    narrow = entry.narrow
    card = card_is_likely(str(settings.get("device", "auto")))
    if narrow and not full_size and config is None and not card:
        settings = narrow.beside(settings) | settings
    found = options_of(entry.config_class(), {**filed, **settings})
    if found.devices != 1:
        raise ConfigError(
            f"devices is {found.devices}, but from Python a run has one process; leave it out, or "
            f"use 'nda train {name} --devices {found.devices}'."
        )
    found.check()
    return found


def _filed(path: StrPath, recipe: str) -> dict[str, Any]:
    try:
        found = read_settings(path)
    except FOREIGN as error:
        why = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(f"The file {path} is not YAML of 'name: value' lines ({why}).") from error
    if not isinstance(found, dict) or found.get("recipe", recipe) != recipe:
        named = found.get("recipe") if isinstance(found, dict) else "no recipe"
        raise ConfigError(f"{path} holds settings of {named}, and {recipe} was asked for.")
    return {str(name): plain(value) for name, value in found.items()}
