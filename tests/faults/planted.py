"""Bugs planted on purpose: a campaign that does not find them would find no others either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock


def forgetful(run: Any, content: dict[str, Any]) -> None:
    """`Run.load` that leaves the optimizers as they are in a new run."""
    for name, part in run.state.saved.items():
        if "optimizer" not in name:
            part.load_state_dict(content["state"][name])
    run.means.load_state_dict(content["means"])
    run.seconds = content["seconds"]
    run.state.step = run.kept_step = content["step"]


def no_way_back(folder: Path, step: int, content: dict[str, Any], *, keep: int) -> Path:
    """`save_checkpoint` that forgets the optimizers' and networks' last bit."""
    from nda.training.checkpoint import save_checkpoint

    changed = {name: dict(part) for name, part in content["state"].items()}
    for part in changed.values():
        for name, value in part.items():
            if hasattr(value, "is_floating_point") and value.is_floating_point() and step:
                part[name] = value.bfloat16().to(value.dtype)
    return save_checkpoint(folder, step, {**content, "state": changed}, keep=keep)


def raising(*_: object) -> object:
    """A parser that lets an error of Python through."""
    raise KeyError("bndbox")


def endless(*_: object) -> object:
    """A parser that does not end."""
    while True:
        pass


BUGS: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "forgetful": ("kills", "nda.training.engine.Run.load", forgetful),
    "lost-bits": ("operations", "nda.training.engine.save_checkpoint", no_way_back),
    "key-error": ("fuzz", "nda.data.boxes.voc._object", raising),
}


def plant(bug: str) -> str:
    """Put a bug into this process, for good; says which part of the campaign must find it."""
    part, place, instead = BUGS[bug]
    mock.patch(place, instead).start()
    return part
