"""Begin a run in a fresh folder, or take one up again from its folder alone."""

from __future__ import annotations

import dataclasses
import math
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from lightning_fabric import Fabric

from nda.errors import CheckpointError, ConfigError, DataError, LargeBatchError
from nda.runtime.files import sweep, within_folder, write_text_atomically
from nda.runtime.notes import tell
from nda.runtime.plain_types import wrong_type
from nda.training.checkpoint import (
    checkpoints_newest_first,
    load_latest,
)
from nda.training.config import RunConfig
from nda.training.engine import Recipe, Run
from nda.training.launch import launch
from nda.training.lock import hold
from nda.training.log import Means
from nda.training.run_folder import RunFolder
from nda.training.trackers import require_tracker
from nda.training.watch import is_first_process

Config = TypeVar("Config", bound=RunConfig)

_SHARED = ["batch_size", "devices", "num_nodes"]  # their product is the batch of all processes


def start(recipe: Recipe[Any, Any], config: RunConfig) -> Run[Any, Any]:
    """A run at step 0 in a new folder, which is made only once data and networks stand."""
    config.check()
    require_tracker(config.logger)
    config = with_absolute_paths(config)
    folder = RunFolder(Path(config.out))
    if within_folder(folder.path, Path(config.data)):
        raise ConfigError(
            f"--out {folder.path} lies within the data {config.data}, which its pictures would "
            "join; choose a folder outside."
        )
    if config.processes == 1 or is_first_process():
        refuse_unusable(folder)
    fabric = launch(config)
    config, state = build_fitting(recipe, config, fabric)
    if fabric.is_global_zero:
        claim(folder)
        refuse_unusable(folder)  # another may have been as quick, and have begun there meanwhile
        create(folder, config)
    fabric.barrier()
    return Run(recipe, config, folder, fabric, state, Means())


def build_fitting(recipe: Recipe[Any, Any], config: Config, fabric: Fabric) -> tuple[Config, Any]:
    """What the recipe builds, with smaller batches where the data has fewer samples than one."""
    try:
        return config, recipe.build(config, fabric)
    except LargeBatchError as error:
        fitting = config.with_batch(error.fits)
        try:
            fitting.check()
        except ConfigError:
            raise error from None
        if fabric.is_global_zero:
            tell(
                f"{error.reason}; batches of {fitting.batch_size} are taken in place of "
                f"{config.batch_size}."
            )
        return fitting, recipe.build(fitting, fabric)


def resume(
    recipe: Recipe[Any, Any],
    config_class: type[RunConfig],
    folder: RunFolder,
    *,
    anew: bool = False,
    **changes: Any,
) -> Run[Any, Any]:
    """The run in `folder` as its newest checkpoint left it; `changes` go over its settings.

    With `anew` a run that was cut off before its first checkpoint begins again.
    """
    config = with_absolute_paths(config_of(folder, config_class, **changes))
    if anew:  # to train on
        require_tracker(config.logger)
    if config.processes == 1 or is_first_process():
        claim(folder)
    unbegun = anew and not checkpoints_newest_first(folder.checkpoints) and not folder.log()
    checkpoint = None if unbegun else load_latest(folder)
    if checkpoint is not None:
        refuse_changes(checkpoint["config"], config, folder)
    fabric = launch(config)
    try:
        state = recipe.build(config, fabric)
    except DataError as error:
        raise DataError(f"{error}{_moved(config, folder)}") from error
    run = Run(recipe, config, folder, fabric, state, Means())
    if checkpoint is not None:
        run.load(checkpoint)
    lasting = {
        name: getattr(config, name)
        for name in ("data", "devices", "num_nodes")
        if changes.get(name) is not None
    }
    if fabric.is_global_zero and lasting:
        create(folder, config_of(folder, config_class, **lasting))
    return run


def _moved(config: RunConfig, folder: RunFolder) -> str:
    """What to do about a setting that names a place where nothing is; empty where all are there."""
    for name in config.marked("path"):
        value = getattr(config, name)
        if _names_path(value) and not Path(value).exists():
            if name == "data":
                return f" If it has moved: nda resume {folder.path} --data ITS_NEW_PLACE"
            return f" If it has moved, write its new place into {folder.config_path}, at {name!r}."
    return ""


def refuse_changes(old: dict[str, Any], config: RunConfig, folder: RunFolder) -> None:
    """Refuse to continue with settings other than those of the checkpoint.

    A setting that the checkpoint knows nothing of is younger than it, and had its default there.
    """
    free = config.marked("free")
    old = {each.name: each.default for each in dataclasses.fields(config)} | old
    before = math.prod(old[name] for name in _SHARED)
    if math.prod(getattr(config, name) for name in _SHARED) == before:
        free += _SHARED  # more processes or fewer, who draw the same together
    for name, value in config.as_dict().items():
        if name not in free and old[name] != value:
            raise CheckpointError(
                f"{name} is {value!r} in {folder.config_path} but was {old[name]!r} when "
                "the checkpoint was written. Set it back, or train a new run."
            )


def config_of(folder: RunFolder, config_class: type[Config], **changes: Any) -> Config:
    """The settings in `folder`, checked; `changes` that are not None go over them.

    Other `devices` or `num_nodes` share the batches that there were. Raises `ConfigError` for
    settings that are unknown, missing or out of range.
    """
    names = {field.name for field in dataclasses.fields(config_class)}
    settings = folder.config()
    unknown = sorted(set(settings) - names)
    if unknown:
        raise ConfigError(
            f"{folder.config_path} has a setting {unknown[0]!r} that this version of nda does "
            "not know. Restore the file, or install the version that wrote it."
        )
    processes = changes.pop("devices", None), changes.pop("num_nodes", None)
    given = {name: value for name, value in changes.items() if value is not None}
    if foreign := sorted(set(given) - names):
        raise ConfigError(
            f"{folder.path} is a run of {settings['recipe']}, which has no setting "
            f"{foreign[0]!r}; leave it out."
        )
    settings |= given
    settings["out"] = str(folder.path)
    if wrong := wrong_type(settings, config_class):
        raise ConfigError(f"{folder.config_path} is not as nda wrote it: {wrong}. Restore it.")
    try:
        config = config_class(**settings)
        config.check()
        devices, num_nodes = processes
        if devices is not None or num_nodes is not None:
            config = config.shared_by(
                config.devices if devices is None else devices,
                config.num_nodes if num_nodes is None else num_nodes,
            )
            _check_shared(config)
    except TypeError as error:
        raise ConfigError(
            f"{folder.config_path} is not as nda wrote it ({error}). Restore it."
        ) from error
    return config


def _check_shared(config: RunConfig) -> None:
    """Refuse what the recipe cannot do with the share of a batch that is a process's own."""
    try:
        config.check()
    except ConfigError as error:
        raise ConfigError(
            f"With {config.processes} processes each draws {config.batch_size} of the "
            f"{config.batch_size * config.processes} {config.samples_are} of a batch, and {error}"
        ) from error


def extend(run: Run[Any, Any]) -> None:
    """Write a new length into config.yaml, so that the next resume knows it too.

    Says so where learning rates fall over the length of the run, which they do anew then.
    """
    steps = run.config.steps
    if run.fabric.is_global_zero and (before := run.folder.config()["steps"]) != steps:
        create(run.folder, run.config)
        if run.config.rate_falls:
            tell(
                f"the learning rate falls over the length of a run, now {steps:,} steps in "
                f"place of {before:,}; from step {run.state.step:,} on it follows the new curve, "
                f"which is not the run of {steps:,} steps from the start."
            )
    run.fabric.barrier()


def with_absolute_paths(config: RunConfig) -> RunConfig:
    """The same settings with paths that hold from any working directory."""
    absolute = {
        name: str(Path(value).expanduser().absolute())
        for name in config.marked("path")
        if _names_path(value := getattr(config, name))
    } | {
        name: str(Path(value).absolute())
        for name in config.marked("name_or_path")
        if (value := getattr(config, name)) and Path(value).is_file()
    }
    return dataclasses.replace(config, **absolute)  # type: ignore[arg-type]


def _names_path(value: str | None) -> bool:
    return bool(value) and value != "none" and not str(value).startswith("torchvision:")


def claim(folder: RunFolder) -> None:
    """Hold the run folder against other processes, and take away what dead ones left unfinished."""
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        hold(folder.path)
        for place in (folder.path, folder.checkpoints, folder.samples):
            sweep(place)
    except OSError as error:
        raise CheckpointError(
            f"The run folder {folder.path} cannot be written ({error}). Choose another place."
        ) from error


def create(folder: RunFolder, config: RunConfig) -> None:
    """Make the folder and write its config.yaml, with the versions in a comment on top."""
    head = (
        f"# nda {version('nda-torch')}, torch {torch.__version__}, "
        f"Python {platform.python_version()}\n"
    )
    try:
        folder.samples.mkdir(parents=True, exist_ok=True)
        folder.checkpoints.mkdir(exist_ok=True)
        text = yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True)
        write_text_atomically(folder.config_path, head + text)
    except OSError as error:
        raise CheckpointError(
            f"The run folder {folder.path} could not be made ({error}). Choose another --out."
        ) from error


def refuse_unusable(folder: RunFolder) -> None:
    """Refuse a folder that already holds a run, or that cannot be written."""
    if folder.config_path.exists():
        raise CheckpointError(
            f"{folder.path} already holds a run. Continue it with 'nda resume {folder.path}', "
            "or give another --out."
        )
    existing = folder.path.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise CheckpointError(f"--out {folder.path}: {existing} is a file, not a folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise CheckpointError(
            f"--out {folder.path}: no permission to write in {existing}. Choose another folder."
        )
