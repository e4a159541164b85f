"""Whether plain values, as JSON and YAML hold them, are of the types that a dataclass asks for."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_LARGEST = 2**63  # whole numbers beyond it are no numbers to NumPy and torch


def wrong_type(values: Mapping[str, Any], options: type) -> str:
    """Which value is not of the type that the dataclass `options` gives it; empty where all are."""
    for name, kind in get_type_hints(options).items():
        if name in values and not _is(values[name], kind):
            return f"{name} is {str(values[name])[:60]!r}, but {_in_words(kind)} was expected"
    return ""


def is_number(value: Any) -> bool:
    """Whether it is a finite number that a machine's numbers can hold."""
    if type(value) is int:
        return -_LARGEST <= value < _LARGEST
    return type(value) is float and math.isfinite(value)


def _is(value: Any, kind: Any) -> bool:
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_is(value, each) for each in of)
    if origin is Literal:
        return value in of
    if origin is list:
        return type(value) is list and all(_is(each, of[0]) for each in value)
    if origin is dict:
        return type(value) is dict and all(
            _is(name, of[0]) and _is(each, of[1]) for name, each in value.items()
        )
    if kind in (int, float):
        return is_number(value) and type(value) in (int, kind)
    return type(value) is kind if kind in (bool, str, type(None)) else True


def _in_words(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_in_words(each) for each in get_args(kind))
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) in (list, dict):
        return "a list" if get_origin(kind) is list else "names with values"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names.get(kind, "null")
