"""From the words of a command line to typed options; mistakes become one sentence."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import jsonargparse

from nda.commands.help import GROUPS, SETTINGS, Formatter, ending, group_of
from nda.errors import ConfigError
from nda.runtime.settings_file import FOREIGN, read_settings
from nda.validators import nearest

T = TypeVar("T")
PATHS = ("data", "out")  # settings that are never empty, as are those given without a name
# argparse's own takes -1e-05 for an option.
_NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$", re.IGNORECASE)
_NO_YAML = "The file of --config is not YAML of 'name: value' lines"


def parse(
    words: list[str],
    options: type[T],
    *,
    command: str,
    positional: str | Sequence[str] = (),
    several: bool = False,
    config_file: bool = False,
    alone: Mapping[str, str] | None = None,
    defaults: Mapping[str, object] | None = None,
    note: str = "",
) -> T:
    """The dataclass `options` filled from `words`, as `nda <command>` takes them.

    `positional` names the field or fields that are given without their names, in this order; the
    last of them `several` times or once, or not at all where it has a default. `config_file` adds
    `--config` and `--print_config`; what is typed goes over the file wherever the file stands.
    `alone` gives the value of options that may stand without one, `defaults` go over those of the
    dataclass, and help ends with the sentence `note`. Fields of type `list[str]` take one or
    several NAME=VALUE words, and may be given again. Raises `ConfigError`; `--help` prints and
    exits.
    """
    parser = _Parser(
        prog=f"nda {command}",
        description=(options.__doc__ or "").split("\n")[0],
        epilog=ending(command, note),
        formatter_class=Formatter,
    )
    parser._negative_number_matcher = _NEGATIVE
    if config_file:
        parser.add_argument(
            "--config",
            action="config",
            help="YAML file of these options, a run to take them from, or a name of 'nda configs'; "
            "those typed go over it",
        )
    names = (positional,) if isinstance(positional, str) else tuple(positional)
    optional = {
        field.name
        for field in dataclasses.fields(options)  # type: ignore[arg-type]
        if field.default is not dataclasses.MISSING
    }
    parser.add_class_arguments(options, as_group=False, skip=set(names))
    for name in names:
        help_text = re.search(rf"^ *{name}: (.*)", options.__doc__ or "", re.MULTILINE)
        parser.add_argument(
            name,
            type=str,
            nargs="+" if several and name == names[-1] else "?" if name in optional else None,
            metavar=name.upper(),
            help=help_text.group(1) if help_text else None,
        )
    _into_groups(parser, set(names))
    parser.set_defaults(dict(defaults or {}))
    parser.positional = names
    parser.known = [field.name for field in dataclasses.fields(options)]  # type: ignore[arg-type]
    types = {field.name: field.type for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    flags = {name for name, kind in types.items() if kind == "bool"}
    lists = {name for name, kind in types.items() if kind == "list[str]"}
    complete = _with_values(_with_underscores(words, flags), alone or {})
    if config_file:
        _refuse_unreadable(complete)
    values = parser.parse_args(_file_first(_gathered(complete, lists))).as_dict()
    values.pop("config", None)
    for name in {*names, *PATHS} & values.keys():
        if values[name] == "":
            raise ConfigError(f"{name} is empty; give a path.")
    for name, value in values.items():
        if value is None and name in types and "None" not in str(types[name]):
            # jsonargparse lets null, or nothing after the colon, pass for any type
            raise ConfigError(f"{name} has no value; give it one, or leave the line out.")
    return checked(options(**values))


def checked(options: T) -> T:
    """What was understood. The one place that every command line passes through."""
    return options


class _Parser(jsonargparse.ArgumentParser):
    """A parser that raises `ConfigError` with a sentence of its own."""

    known: list[str]
    positional: tuple[str, ...]

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ConfigError(_sentence(message, self.known, self.positional)) from ex


def typed_names(words: Sequence[str]) -> set[str]:
    """The options that stand among the words, by the names of their fields."""
    options = (word.partition("=")[0] for word in words if word.startswith("--"))
    return {option[2:].replace("-", "_") for option in options}


def _into_groups(parser: _Parser, positional: set[str]) -> None:
    """Sort the options by what they are about; those of the file and help stay on top."""
    by_title: dict[str, list[argparse.Action]] = {title: [] for title in (*GROUPS, SETTINGS)}
    kept: list[argparse.Action] = []
    for action in parser._optionals._group_actions:
        general = isinstance(action, argparse._HelpAction) or "config" in action.dest
        (kept if general or action.dest in positional else by_title[group_of(action.dest)]).append(
            action
        )
        if action.dest == "print_config":
            action.help = "print all settings as YAML, to start a file from, and end"
            action.metavar = ""
        if action.dest == "recipe":  # for files of settings, which name it; typed it stands before
            action.help = argparse.SUPPRESS
    parser._optionals._group_actions[:] = kept
    for title, actions in by_title.items():
        if actions:
            parser.add_argument_group(title)._group_actions.extend(actions)


def _file_first(words: list[str]) -> list[str]:
    """The words with every `--config FILE` in front, so that what is typed goes over the file."""
    files: list[str] = []
    others: list[str] = []
    for position, word in enumerate(words):
        is_value = position > 0 and words[position - 1] == "--config"
        (files if is_value or word.partition("=")[0] == "--config" else others).append(word)
    return files + others


def _refuse_unreadable(words: list[str]) -> None:
    """Refuse files of `--config` that jsonargparse would take long over, or would misread."""
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        path = value if equals else "".join(words[position + 1 : position + 2])
        if name != "--config" or not (Path(path).is_file() or Path(path).is_fifo()):
            continue  # jsonargparse says what is wrong with it
        try:
            read_settings(path)
        except FOREIGN as error:
            why = " ".join(str(error).split())[:200].rstrip(".")
            raise ConfigError(f"{_NO_YAML} ({why}).") from error


def _with_underscores(words: list[str], flags: set[str]) -> list[str]:
    """Accept `--fake-weight` for `--fake_weight`, and `--compile` for `--compile true`."""
    result, words = [], list(words)
    for position in range(len(words)):
        word = words[position]
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = "--" + name[2:].replace("-", "_")
        result.append(name + equals + value)
        follower = words[position + 1] if position + 1 < len(words) else ""
        if name[2:] in flags and not equals and follower.lower() not in ("true", "false"):
            result.append("true")
        elif name[2:] in flags and not equals:
            words[position + 1] = follower.lower()
    return result


def _with_values(words: list[str], alone: Mapping[str, str]) -> list[str]:
    """Give the options that may stand without a value theirs where they do."""
    result = []
    for position, word in enumerate(words):
        result.append(word)
        followed = position + 1 < len(words) and not words[position + 1].startswith("-")
        if word.startswith("--") and word[2:] in alone and not followed:
            result.append(alone[word[2:]])
    return result


def _gathered(words: list[str], lists: set[str]) -> list[str]:
    """All values of an option that takes several, as the one value that jsonargparse reads."""
    result: list[str] = []
    values: dict[str, list[str]] = {}
    open_list = ""  # the option whose values may still follow
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        first = open_list and words[position - 1] == f"--{open_list}"
        if name.startswith("--") and name[2:] in lists:
            open_list = "" if equals else name[2:]
            values.setdefault(name[2:], []).extend([value] if equals else [])
        elif open_list and not word.startswith("--") and (first or equals):
            values[open_list].append(word)
        else:
            open_list = ""
            result.append(word)
    for name, some in values.items():
        if not some:
            raise ConfigError(f"--{name} was given without a value; write --{name} NAME=VALUE.")
    return result + [f"--{name}={json.dumps(some)}" for name, some in values.items()]


def _sentence(message: str, known: list[str], positional: tuple[str, ...]) -> str:
    """One sentence for what jsonargparse says in several lines."""
    unknown = re.search(r"Option '([^']+)' is not accepted|unrecognized arguments: (\S+)", message)
    if unknown:
        return _unknown(f"--{unknown.group(1)}" if unknown.group(1) else unknown.group(2), known)
    missing = re.search(r"arguments? (?:are|is) required: (.+)", message)
    if missing:
        names = missing.group(1).split(", ")
        words = (name.upper() if name in positional else f"--{name}" for name in names)
        return f"Missing: {', '.join(words)}. '--help' explains what it is."
    file = re.search(r'"config": (File does not exist|Path is not a file): (.+)', message)
    if file:
        is_what = "does not exist" if "not exist" in file.group(1) else "is no file"
        return f"The configuration file {file.group(2)} {is_what}; give another --config."
    wrong = re.search(
        r'key "([^"]+)":.*?Expected an? (<class .+?>|typing\..+?\]).*(?:Got|Given) value: (.*)',
        message,
        re.DOTALL,
    )
    if wrong:
        name, kind, value = wrong.groups()
        return f"{name} is {value.strip()!r}, but {_in_words(kind)} was expected."
    text = " ".join(message.split())
    damaged = re.match(r"(?:Problems parsing|Unexpected) config:(.*)", text)
    if damaged:
        return f"{_NO_YAML} ({damaged.group(1).strip() or 'it is empty'})."
    return text if text.endswith(".") else text + "."


def _unknown(word: str, known: list[str]) -> str:
    if not word.startswith("-"):
        return f"{word!r} stands alone; a setting is given as --NAME VALUE."
    name = word.lstrip("-").partition("=")[0]
    return f"There is no setting {name!r}{nearest(name, known)} '--help' lists them all."


def _in_words(kind: str) -> str:
    literal = re.fullmatch(r"typing\.Literal\[(.*)\]", kind)
    if literal:
        return "one of " + literal.group(1).replace("'", "")
    names = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}
    plain = re.fullmatch(r"<class '(\w+)'>", kind)
    return names.get(plain.group(1), kind) if plain else kind
