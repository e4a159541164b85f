"""`nda completion SHELL`: what the Tab key offers, read from the help of every command.

The script is written once into a file of the shell, so that a Tab waits for no Python.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nda.cli import COMMANDS, dispatch
from nda.commands.parser import parse
from nda.commands.verbs.data import KINDS
from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.recipes.shipped import shipped
from nda.validators import nearest

SHELLS = ("bash", "fish", "zsh")
SECOND = {
    "train": tuple(RECIPES),
    "sweep": tuple(RECIPES),
    "data": tuple(KINDS),
    "completion": SHELLS,
}
# What follows an option that is a path is completed as a file, by the shell's own means.
_BASH = """_nda() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    local command="${{COMP_WORDS[1]}}"
    case "$command" in {nested}) command="$command ${{COMP_WORDS[2]}}" ;; esac
    if [ "$COMP_CWORD" -eq 1 ]; then words="{verbs}"
    elif [[ "$word" == -* ]]; then case "$command" in  # what came before may have no value
{options}
    esac
    else case "$command/$before" in
{values}
    esac; fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _nda nda"""


@dataclass(frozen=True)
class CompletionOptions:
    """Print a script with which Tab completes commands, recipes, options and their values.

    Args:
        shell: bash, zsh or fish
    """

    shell: str


def completion(words: list[str]) -> int:
    """Print the script of the shell that the first word names; gives the exit code."""
    shell = parse(words, CompletionOptions, command="completion", positional="shell").shell
    if shell not in SHELLS:
        raise ConfigError(
            f"There is no completion for {shell!r}{nearest(shell, SHELLS)} Give one of "
            f"{', '.join(SHELLS)}."
        )
    known = {command: options_in(help_of(command)) for command in commands()}
    for recipe in RECIPES:
        known[f"train {recipe}"]["config"] = tuple(each.name for each in shipped(recipe))
        known[f"sweep {recipe}"] = known[f"train {recipe}"] | known[f"sweep {recipe}"]
    if shell == "zsh":
        print("autoload -U bashcompinit && bashcompinit")
    print("\n".join(fish(known)) if shell == "fish" else bash(known))
    return 0


def commands() -> list[str]:
    """Every command that has options: `score`, `train gan`."""
    return [
        " ".join(filter(None, (verb, second)))
        for verb in COMMANDS
        for second in SECOND.get(verb, ("",))
        if verb != "completion"
    ]


def help_of(command: str) -> str:
    """What `nda COMMAND --help` prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        dispatch([*command.split(), "--help"])
    return said.getvalue()


def options_in(text: str) -> dict[str, tuple[str, ...]]:
    """The options that a help lists, each with the values that it can take, where they are few."""
    found = re.findall(r"^  (?:-h, )?--(\w+)(?: \{([^}]*)\})?", text, re.MULTILINE)
    return {name: tuple(values.split(",")) if values else () for name, values in found}


def bash(known: dict[str, dict[str, tuple[str, ...]]]) -> str:
    """A function for bash; zsh runs it too."""
    nested = [verb for verb in SECOND if verb != "completion"]
    values = [
        f'    "{command}/--{name}") words="{" ".join(some)}" ;;'
        for command, options in known.items()
        for name, some in options.items()
        if some
    ] + [f'    "{verb} "*/{verb}) words="{" ".join(SECOND[verb])}" ;;' for verb in nested]
    values += [f'    completion/*) words="{" ".join(SHELLS)}" ;;']
    values += [f'    configs/configs) words="{" ".join(config_names())}" ;;']
    options = [
        f'    "{command}") words="{" ".join("--" + name for name in names)}" ;;'
        for command, names in known.items()
    ]
    return _BASH.format(
        nested="|".join(nested),
        verbs=" ".join(COMMANDS),
        values="\n".join(values),
        options="\n".join(options),
    )


def fish(known: dict[str, dict[str, tuple[str, ...]]]) -> Iterator[str]:
    """A line for fish an option."""
    for verb, command in COMMANDS.items():
        summary = command.summary.replace("'", r"\'")
        yield f"complete -c nda -f -n __fish_use_subcommand -a {verb} -d '{summary}'"
    for verb, second in {**SECOND, "configs": config_names()}.items():
        yield (
            f"complete -c nda -f -n '__fish_seen_subcommand_from {verb}; and test "
            f"(count (commandline -opc)) -eq 2' -a '{' '.join(second)}'"
        )
    for words, options in known.items():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in words.split())
        for name, some in options.items():
            values = f" -x -a '{' '.join(some)}'" if some else ""
            yield f"complete -c nda -n '{seen}' -l {name}{values}"


def config_names() -> list[str]:
    """What `nda configs` takes."""
    return [*RECIPES, *(f"{each.recipe}/{each.name}" for each in shipped())]
