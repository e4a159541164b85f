"""The configurations that come with the package: a file a run, found by name. Free of torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.runtime.files import StrPath
from nda.validators import nearest

CONFIG = "config.yaml"  # of the folder of a run
FOLDER = Path(__file__).parents[1] / "configs"  # a folder a recipe


@dataclass(frozen=True)
class Shipped:
    """A configuration of the package."""

    recipe: str
    path: Path

    @property
    def name(self) -> str:
        """What `--config` of its recipe takes."""
        return self.path.stem

    def text(self) -> str:
        """The file: what it is, the command, what to expect, then settings with their units."""
        return self.path.read_text(encoding="utf-8")

    @property
    def summary(self) -> str:
        """The sentence that the file begins with; it says how long the run takes where known."""
        lines = self.text().splitlines()
        said = " ".join(line.removeprefix("#").strip() for line in lines[: _remarks(lines)])
        return re.split(r"(?<=[.?])\s+(?=[A-Z(])|\s+nda (?:train|data) ", said)[0]

    @property
    def for_processors(self) -> bool:
        """Whether it is of a size for machines without a card."""
        return re.search(r"^device: cpu$", self.text(), re.MULTILINE) is not None


def _remarks(lines: Sequence[str]) -> int:
    return next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))


def shipped(*recipes: str) -> list[Shipped]:
    """The configurations of these recipes, or of all; those for processors first."""
    found = [
        Shipped(recipe, path)
        for recipe in recipes or RECIPES
        for path in sorted((FOLDER / recipe).glob("*.yaml"))
    ]
    order = list(RECIPES)
    return sorted(found, key=lambda each: (order.index(each.recipe), not each.for_processors))


def settings_file(config: StrPath, recipe: str) -> Path:
    """The file that `--config` means: a path, a run, or a configuration of the package by its name.

    Of the folder of a run it is the settings that the run was trained with.

    A name is that of the file alone, or after the recipe's, as in `gan/cpu-cifar10-jigsaw`; also
    as results of earlier versions say it, `configs/gan/cpu-cifar10-jigsaw.yaml`. A file that is
    there goes first. Raises `ConfigError` for what is neither.
    """
    path = Path(config)
    if path.exists() and not path.is_dir():
        return path
    if (path / CONFIG).is_file():
        return path / CONFIG
    named = str(config).replace("\\", "/").removeprefix("./").removeprefix("configs/")
    name = named.removeprefix(f"{recipe}/").removesuffix(".yaml")
    of_recipe = {each.name: each.path for each in shipped(recipe)}
    if name in of_recipe:
        return of_recipe[name]
    if path.is_dir():
        raise ConfigError(
            f"{config} is a folder, and no run; give a file of settings or a run as --config."
        )
    for each in shipped():
        if named.removesuffix(".yaml") == f"{each.recipe}/{each.name}":
            raise ConfigError(
                f"{named} is a configuration of {each.recipe}, not of {recipe}: "
                f"nda train {each.recipe} --config {each.name}"
            )
    if "/" in name or named.endswith((".yaml", ".yml")) or not of_recipe:
        raise ConfigError(f"The configuration file {config} does not exist; give another --config.")
    raise ConfigError(
        f"There is neither a file nor a configuration {str(config)!r}{nearest(name, of_recipe)} "
        f"'nda configs {recipe}' lists those of the package."
    )


def with_files(words: Sequence[str], recipe: str) -> Iterator[str]:
    """The words of a command line, with the file for every name that follows `--config`."""
    before = ""
    for word in words:
        option, equals, value = word.partition("=")
        if before == "--config" and word:
            yield str(settings_file(word, recipe))
        elif option == "--config" and value:
            yield f"{option}{equals}{settings_file(value, recipe)}"
        else:
            yield word
        before = word
