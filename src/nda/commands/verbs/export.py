"""`nda export RUN`: a trained detector or encoder for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nda.api.places import ready_outputs, refuse_no_run
from nda.api.settings import ExportOptions
from nda.commands.parser import parse
from nda.errors import CheckpointError, ConfigError
from nda.recipes import names_of, recipe_of
from nda.recipes.anomaly.config import AnomalyConfig
from nda.runtime.files import refuse_existing

INT8 = "lite0"  # the backbone that is rounded


def export(words: list[str]) -> int:
    """Write the file and say how far its results are from PyTorch's."""
    options = parse(words, ExportOptions, command="export", positional="run")
    refuse_no_run(options.run, or_file=True)

    from pathlib import Path

    from nda.training.run_folder import RunFolder

    settings: dict[str, Any] = {}
    if not Path(options.run).is_file():  # as a detector is that was exported before
        settings = RunFolder.open(options.run).config()
    recipe = settings.get("recipe", AnomalyConfig.recipe)
    kind = chosen_format(options, recipe)
    entry = recipe_of(recipe)
    name = entry.exports[kind]
    if options.int8:
        refuse_int8(options, kind, entry.model, settings)
        name = f"{Path(name).stem}-int8{Path(name).suffix}"
    ending = Path(name).suffix
    if options.out is not None and Path(options.out).suffix != ending:  # of ".xml" it is ""
        raise ConfigError(
            f"--out {options.out} must end in {ending} for --format {kind}, after a name."
        )
    run = Path(options.run)
    path = Path(options.out) if options.out else (run.parent if run.is_file() else run) / name
    ready_outputs(options)
    weights = [path.with_suffix(".bin")] if kind == "openvino" else []  # a file of their own
    for file in (path, *weights):
        if file.is_dir():  # one of the two would be replaced, and the other not
            raise ConfigError(f"{file} is a folder, and a file is to be written there; move it.")
    if options.out is not None and weights:
        refuse_existing(weights[0], options.overwrite, "--out")

    from nda.commands.exporting import write_detector, write_encoder, write_int8

    if options.int8:
        write_int8(options.run, path)
    elif entry.model == "detector":
        write_detector(options.run, path, kind)
    else:
        write_encoder(options.run, path, kind)
    return 0


def refuse_int8(options: ExportOptions, kind: str, model: str, settings: Mapping[str, Any]) -> None:
    """Refuse (`ConfigError`) 8 bits where nothing can be fitted and calibrated anew with them."""
    if model != "detector" or kind != "onnx":
        raise ConfigError(
            f"--int8 is for a detector as onnx, and what is asked of {options.run} is its {model} "
            f"as {kind}; leave --int8 out."
        )
    if not settings:
        raise ConfigError(
            f"--int8 fits and calibrates anew on a run's normal images, and {options.run} is a "
            "detector without them; give the folder of its run."
        )
    if settings.get("backbone") != INT8 or settings.get("method") == "negatives":
        raise ConfigError(
            f"--int8 rounds the backbone {INT8}, to which a method is then fitted anew, and "
            f"{options.run} has {settings.get('backbone')} (--method {settings.get('method')}); "
            "leave it out."
        )
    if settings.get("reference"):
        raise ConfigError(
            f"--int8 would round the search for templates as well, and {options.run} is compared "
            "with some (--reference); leave it out."
        )


def chosen_format(options: ExportOptions, recipe: str) -> str:
    """The format asked for or the usual one; refuses what a recipe has not."""
    entry = recipe_of(recipe)
    if not entry.exports:
        raise CheckpointError(
            f"{options.run} is a run of {recipe}, of which there is nothing to export; give a run "
            f"of {names_of(lambda entry: entry.model == 'detector')}, which has a detector, or of "
            f"{names_of(lambda entry: entry.model == 'encoder')}, which has an encoder."
        )
    formats = tuple(entry.exports)
    if options.format is not None and options.format not in formats:
        raise ConfigError(
            f"--format {options.format} is not for {options.run}, a run of {recipe}: its "
            f"{entry.model} can be written as {', '.join(formats)}."
        )
    return options.format or formats[0]
