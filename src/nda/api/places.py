"""Paths that a command line names are looked at at once, before torch is imported."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from nda.errors import DataError
from nda.runtime.files import absent, prepare_output, refuse_existing, refuse_within

TORCHVISION = "torchvision:"
# Settings that name what is read: a folder or an archive of samples; then files.
SOURCES = (
    "data",
    "negative_data",
    "target_data",
    "counter_data",
    "normal_more",
    "reference",
    "texture",
    "split_file",
    "original",
)

# How torchvision's networks begin; their list is known to torchvision alone, which loads torch.
_NETWORK = re.compile(
    "(alex|convne|dense|efficient|google|inception|max|mnas|mobile|reg|res|shuffle|squeeze|swin|vgg|"
    r"vit|wide_res)[\w]*$"
)


def refuse_missing(options: Any, *names: str, given: bool = False) -> None:
    """Refuse (`DataError`) the first of the settings `names` that names nothing that can be read.

    By default those of `SOURCES` and `encoder`; settings that are absent or not given, and data
    sets of torchvision, pass. With `given` the samples are at hand, and `data` is no path.
    """
    for name in names or SOURCES:
        value = getattr(options, name, None)
        if value and not (given and name == "data"):
            refuse_absent(value)
    if not names and (encoder := getattr(options, "encoder", None)) not in (None, "none"):
        refuse_no_run(str(encoder))


def refuse_lost(options: Any, *names: str) -> None:
    """Refuse (`ConfigError`) what the settings `names`, by default `out`, would write over.

    Unless `overwrite` is set. Settings that are not given pass.
    """
    for name in names or ("out",):
        path = getattr(options, name)
        if path:
            refuse_existing(path, options.overwrite, f"--{name}")


def ready_outputs(options: Any, *names: str, source: str = "") -> None:
    """`refuse_lost`, then the folders that the files are to lie in are made.

    Refuses (`ConfigError`) first what lies within the folder `source`, whatever `overwrite` says.
    """
    places = [(name, getattr(options, name)) for name in names or ("out",)]
    given = [(Path(path), f"--{name}") for name, path in places if path]
    for path, name in given:
        refuse_within(path, source, name)
    refuse_lost(options, *names)
    for path, name in given:
        prepare_output(path, source, name)


def refuse_absent(source: str, before: str = "") -> None:
    """Refuse (`DataError`) a path at which there is nothing, or nothing that may be read.

    Words `before` begin the sentence.
    """
    path = Path(source).expanduser()
    if source.startswith(TORCHVISION):
        return
    if not found(path):
        raise DataError(before + absent(path))
    if not os.access(path, os.R_OK):
        raise DataError(f"{before}{path} cannot be read. Check the path and its permissions.")


def refuse_no_run(run: str, *, or_file: bool = False) -> None:
    """Refuse a path that is no run folder, nor a file where that will do (`CheckpointError`)."""
    from nda.training.run_folder import RunFolder

    if not (or_file and Path(run).is_file()):
        RunFolder.open(run)


def refuse_no_model(model: str) -> None:
    """`refuse_no_run` but for networks of torchvision, and for what is meant as one."""
    if not model.startswith(TORCHVISION) and not (_NETWORK.match(model) and not found(Path(model))):
        refuse_no_run(model)


def found(path: Path) -> bool:
    """Whether something is there, or cannot be seen for want of permission."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True
