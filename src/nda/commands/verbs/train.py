"""`nda train RECIPE`: train, evaluate, report."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

from nda.api.places import refuse_missing
from nda.commands.examples import EXAMPLES
from nda.commands.parser import parse, typed_names
from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.recipes.narrow import Narrow
from nda.recipes.shipped import with_files
from nda.runtime.cards import card_is_likely
from nda.training.watch import is_first_process
from nda.validators import counted, nearest

FULL_SIZE = "full_size"
_HINT = "'nda train RECIPE --help' lists the options of a recipe."


def train(words: list[str]) -> int:
    """Train the recipe that the first word names; gives the exit code."""
    if not words or words[0] in ("-h", "--help"):
        rows = "\n".join(f"  {name:<14}{entry.summary}" for name, entry in RECIPES.items())
        print(
            "usage: nda train RECIPE --data PATH --out RUN [options]\n\n"
            f"recipes:\n{rows}\n\n{_HINT}\n\nexample:\n  {EXAMPLES['train gan']}"
        )
        return 0
    name = words[0].replace("_", "-")
    if name not in RECIPES:
        raise ConfigError(
            f"There is no recipe {words[0]!r}{nearest(name, RECIPES)} Give one of "
            f"{', '.join(RECIPES)}."
        )
    entry = RECIPES[name]
    config, said = settings_of(name, words[1:])
    refuse_missing(config)
    config.check()
    if is_first_process():
        print(f"nda: {said}", file=sys.stderr, flush=True)

    # After the parsing, so that --help does not wait for torch.
    from nda.api.runs.work import at_work
    from nda.commands.runs.finish import train_and_evaluate
    from nda.training.start import start

    with at_work():
        run = start(entry.recipe(), config)
        if run.fabric.is_global_zero:
            for note in getattr(run.state, "told", ()):  # not every recipe's data say something
                print(f"nda: {note}", file=sys.stderr)
        return train_and_evaluate(run)


def settings_of(name: str, words: list[str]) -> tuple[Any, str]:
    """The settings of a recipe, and a sentence on what to expect of them on this machine.

    Without a card the recipe's narrow settings are its defaults, unless a file of settings or
    `--full_size` is given. What was typed always stays.
    """
    typed = typed_names(words)
    narrow, chosen = RECIPES[name].narrow, {}
    if not typed & {"config", "help"}:
        chosen = RECIPES[name].at_hand(typed)
    slim: dict[str, object] = {}
    if narrow and not typed & {FULL_SIZE, "config", "help"} and not has_card(words):
        slim = narrow.beside(typed)
        chosen |= slim
    config = parse(
        [word for word in with_files(words, name) if typed_names([word]) != {FULL_SIZE}],
        RECIPES[name].config_class(),
        command=f"train {name}",
        config_file=True,
        defaults=chosen,
        note=narrow_note(narrow),
    )
    shown = (
        ", ".join(f"{key} {chosen[key]}" for key in narrow.shown if key in chosen) if narrow else ""
    )
    if narrow and slim.keys() & set(narrow.shown):
        return config, (
            f"No GPU is here, so {name} takes settings for processors ({shown}): {narrow.takes}. "
            f"What you type goes over them; --{FULL_SIZE} takes the published size ({narrow.full})."
        )
    said = f"training {name}, {counted(config.steps, 'step')}, into {config.out}"
    said += f", with {shown}" if shown else ""
    published = next(f.default for f in fields(config) if f.name == "steps")
    if narrow and config.steps >= published and not card_is_likely(config.device):
        said += f"; without a GPU, full size takes {narrow.full}"
    return config, said + "."


def has_card(words: list[str]) -> bool:
    """`card_is_likely` for the device that stands among the words."""
    device = "auto"
    for position, word in enumerate(words):
        if typed_names([word]) == {"device"}:
            following = words[position + 1] if position + 1 < len(words) else device
            device = word.partition("=")[2] or following
    return card_is_likely(device)


def narrow_note(narrow: Narrow | None) -> str:
    """What a recipe's help says of machines without a card."""
    if narrow is None:
        return ""
    settings = ", ".join(f"{name} {value}" for name, value in narrow.beside(()).items())
    return (
        f"Without a GPU, and without --config, the defaults are {settings}: {narrow.takes}. "
        f"--{FULL_SIZE} keeps those above."
    )
