"""Settings that come from Python, by the names of the command line, and how functions show them."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nda.data.images.given import in_words
from nda.errors import ConfigError
from nda.runtime.plain_types import wrong_type
from nda.validators import nearest

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def options_of(options: type[T], settings: Mapping[str, Any]) -> T:
    """The dataclass `options` with these settings; the others keep their defaults.

    Paths may be `Path`, lists tuples. Raises `ConfigError` for names that it has not, values of
    another type, and what is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    for name in settings:
        if name not in fields:
            raise ConfigError(f"There is no setting {name!r}{nearest(name, fields)}")
    values = {name: plain(value) for name, value in settings.items()}
    if wrong := wrong_type(values, options):
        raise ConfigError(f"{wrong}.")
    absent = [
        name
        for name, field in fields.items()
        if name not in values and field.default is field.default_factory is dataclasses.MISSING
    ]
    if absent:
        raise ConfigError(f"The setting {absent[0]} is missing; give {absent[0]}=...")
    return options(**values)


def options_on(
    options: type[T], images: Any, settings: Mapping[str, Any], **named: Any
) -> tuple[T, Any]:
    """`options_of` for a function of images, which writes nothing unless `out` is given.

    Gives too the images, if they are at hand and not a path: then the settings call them in words.
    """
    at_hand = None if isinstance(images, str | Path) else images
    name = images if at_hand is None else in_words(images)
    out = settings.get("out") or ""
    return options_of(options, {**settings, **named, "out": out, "images": name}), at_hand


def plain(value: Any) -> Any:
    """A path as text, a tuple as a list; anything else as it is."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def called(name: str, *given: Any, **settings: Any) -> str:
    """The line of Python that asks for this, for pages that say how they were made."""
    words = [repr(plain(each)) if isinstance(each, str | os.PathLike) else "..." for each in given]
    words += [f"{name}={plain(value)!r}" for name, value in settings.items()]
    return f"{name}({', '.join(words)})"


def settings_shown(options: type, without: str = "", **defaults: Any) -> Callable[[F], F]:
    """Give a function that takes `**settings` the signature and the help of `options`.

    What it names itself, and the words of `without`, are left out; `defaults` go over others.
    """

    def show(function: F) -> F:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        hidden = {*without.split(), *(each.name for each in own)}
        fields = [each for each in dataclasses.fields(options) if each.name not in hidden]
        shown = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(field.name, _default(field)),
                annotation=field.type,
            )
            for field in fields
        ]
        function.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]
        function.__doc__ = f"{inspect.getdoc(function)}\n\nSettings:\n" + "\n".join(
            f"    {field.name}: {_help(options, field.name)}" for field in fields
        )
        return function

    return show


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty


def _help(options: type, name: str) -> str:
    """What the docstring of the settings, or of those that they build on, says of one of them."""
    for kind in options.__mro__:
        found = re.search(rf"^ *{name}: (.*(?:\n {{12}}.*)*)", kind.__doc__ or "", re.MULTILINE)
        if found:
            return " ".join(found[1].split())
    return ""
