"""From the words of a command line to typed options; mistakes become one sentence."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable
from typing import NoReturn, TypeVar

import jsonargparse

from nda.errors import ConfigError

T = TypeVar("T")
_NO_YAML = "The file of --config is not YAML of 'name: value' lines"


def parse(
    words: list[str],
    options: type[T],
    *,
    command: str,
    positional: str | None = None,
    several: bool = False,
    config_file: bool = False,
) -> T:
    """The dataclass `options` filled from `words`, as `nda <command>` takes them.

    `positional` names the field that is given without its name, `several` times or once;
    `config_file` adds `--config` and `--print_config`. Raises `ConfigError`; `--help` prints and
    exits.
    """
    parser = _Parser(prog=f"nda {command}", description=(options.__doc__ or "").split("\n")[0])
    if config_file:
        parser.add_argument("--config", action="config", help="YAML file of these options")
    skip = {positional} if positional else set()
    parser.add_class_arguments(options, skip=skip)
    if positional:
        help_text = re.search(rf"{positional}: (.*)", options.__doc__ or "")
        parser.add_argument(
            positional,
            type=str,
            nargs="+" if several else None,
            metavar=positional.upper(),
            help=help_text.group(1) if help_text else None,
        )
    parser.positional = positional
    parser.known = [field.name for field in dataclasses.fields(options)]  # type: ignore[arg-type]
    flags = {f.name for f in dataclasses.fields(options) if f.type == "bool"}  # type: ignore[arg-type]
    try:
        values = parser.parse_args(_with_underscores(words, flags)).as_dict()
    except UnicodeDecodeError as error:
        raise ConfigError(_NO_YAML + f" ({error}).") from error
    values.pop("config", None)
    return options(**values)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: `; did you mean 'x'?` where something known is near, else a stop."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


class _Parser(jsonargparse.ArgumentParser):
    """A parser that raises `ConfigError` with a sentence of its own."""

    known: list[str]
    positional: str | None

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise ConfigError(_sentence(message, self.known, self.positional)) from ex


def _with_underscores(words: list[str], flags: set[str]) -> list[str]:
    """Accept `--fake-weight` for `--fake_weight`, and `--compile` for `--compile true`."""
    result = []
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            name = "--" + name[2:].replace("-", "_")
        result.append(name + equals + value)
        follower = words[position + 1] if position + 1 < len(words) else ""
        if name[2:] in flags and not equals and follower not in ("true", "false"):
            result.append("true")
    return result


def _sentence(message: str, known: list[str], positional: str | None) -> str:
    """One sentence for what jsonargparse says in several lines."""
    unknown = re.search(r"Option '([^']+)' is not accepted|unrecognized arguments: (\S+)", message)
    if unknown:
        return _unknown(f"--{unknown.group(1)}" if unknown.group(1) else unknown.group(2), known)
    missing = re.search(r"arguments? (?:are|is) required: (.+)", message)
    if missing:
        names = missing.group(1).split(", ")
        words = (name.upper() if name == positional else f"--{name}" for name in names)
        return f"Missing: {', '.join(words)}. '--help' explains what it is."
    absent = re.search(r'"config": File does not exist: (.+)', message)
    if absent:
        return f"The configuration file {absent.group(1)} does not exist; give another --config."
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
