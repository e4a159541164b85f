"""What callers get who do not ask: the defaults of a folder's public functions and classes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from enum import EnumType


def defaults_of(package: str) -> dict[str, dict[str, object]]:
    """By name, the defaults other than None of what the modules of `package` define and show."""
    found: dict[str, dict[str, object]] = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if not module.ispkg:
            found |= defaults_of_module(module.name)
    return found


def defaults_of_module(module: str) -> dict[str, dict[str, object]]:
    """As `defaults_of`, of a single module."""
    found: dict[str, dict[str, object]] = {}
    for name, value in vars(importlib.import_module(module)).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module:
            continue
        if not callable(value) or isinstance(value, EnumType):
            continue
        if isinstance(value, type) and issubclass(value, Exception):
            continue
        defaults = {
            parameter.name: parameter.default
            for parameter in inspect.signature(value).parameters.values()
            if parameter.default not in (None, inspect.Parameter.empty)
        }
        if defaults:
            found[name] = defaults
    return found
