"""What two runs must agree in: weights, log, figures, pictures; and what may lie in no run."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from nda.training.checkpoint import load_checkpoint

CLOCK = ("seconds", "images_per_second", "clips_per_second", "peak_memory_mib")


def digest_of_run(folder: Path) -> dict[str, str]:
    """A digest of everything in a finished run that does not depend on the clock.

    Of older checkpoints only that they are whole: a run keeps those that it wrote last, and an
    interrupted one has written one more, or was stopped before it removed one.
    """
    found = {}
    older = _older_checkpoints(folder)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path in older:
            load_checkpoint(path)
            found["older checkpoints"] = "whole"
        elif path.is_file() and "tensorboard" not in path.parts:
            found[name] = digest_of(_meaning(path))
    return found


def _older_checkpoints(folder: Path) -> list[Path]:
    """All but the newest of every folder of checkpoints below this one."""
    found = []
    for room in {path.parent for path in folder.rglob("step-*.pt")}:
        found += sorted(room.glob("step-*.pt"))[:-1]
    return found


def print_digest(folder: Path) -> int:
    """For a child: write the digest on standard output."""
    json.dump(digest_of_run(folder), sys.stdout)
    return 0


def differences(expected: dict[str, str], found: dict[str, str]) -> str:
    """Names of what is missing, left over or different, in one line."""
    missing = [f"{name} is missing" for name in expected.keys() - found.keys()]
    extra = [f"{name} is left over" for name in found.keys() - expected.keys()]
    both = expected.keys() & found.keys()
    changed = [f"{name} differs" for name in both if expected[name] != found[name]]
    return "; ".join(sorted(missing) + sorted(extra) + sorted(changed))


def _meaning(path: Path) -> Any:
    """The content of a file of a run without the time that it took."""
    if path.suffix == ".pt" or path.name == "latest":
        return _without_clock(load_checkpoint(path))
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.name == "log.jsonl":
        return [_without_clock(json.loads(line)) for line in path.read_text().splitlines()]
    if path.name == "metrics.json":
        return _without_clock(json.loads(path.read_text()))
    if path.suffix == ".html":
        return "a page"
    return path.read_bytes()


def _without_clock(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_clock(each) for key, each in value.items() if key not in CLOCK}
    return [_without_clock(each) for each in value] if isinstance(value, list) else value


def digest_of(value: Any) -> str:
    """Of tensors, by their bits, and of plain values, in whatever they are nested."""
    taken = hashlib.blake2b(digest_size=12)
    _take(taken, value)
    return taken.hexdigest()


def _take(taken: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        plain = value.detach().contiguous().cpu()
        taken.update(repr((plain.dtype, tuple(plain.shape))).encode())
        taken.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            taken.update(repr(key).encode())
            _take(taken, value[key])
    elif isinstance(value, list | tuple):
        taken.update(b"[%d" % len(value))
        for each in value:
            _take(taken, each)
    else:
        taken.update(value if isinstance(value, bytes) else repr(value).encode())
