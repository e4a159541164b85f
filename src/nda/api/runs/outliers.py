"""`nda evaluate RUN --ood ...`: a run's detector, measured on images from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nda.api.runs.work import Measured, evaluation_so_far
from nda.api.settings import EvaluateOptions
from nda.data.images.outlier_sets import named_sources
from nda.errors import ConfigError
from nda.evaluation.record import Evaluation
from nda.recipes import RECIPES, recipe_of
from nda.report.pages.run import write_report
from nda.training.engine import Run
from nda.training.run_folder import RunFolder

Detector = Callable[..., Evaluation]  # of a state and the keywords below


def detector_of(options: EvaluateOptions) -> Detector | None:
    """What measures the run's detector, None where no outliers are asked for.

    Raises `ConfigError` for a recipe without a detector and for settings out of range.
    """
    if not options.outliers:
        if options.ood_samples is not None or options.ood_jpeg != EvaluateOptions.ood_jpeg:
            raise ConfigError(
                "--ood_samples and --ood_jpeg belong to --ood or --corruptions, and neither is "
                "given. Name a set with --ood NAME=PATH."
            )
        return None
    named_sources(options.ood)
    if options.ood_samples is not None and options.ood_samples < 2:
        raise ConfigError(f"ood_samples is {options.ood_samples}; it must be at least 2.")
    if not 0 <= options.ood_jpeg <= 95:
        raise ConfigError(
            f"ood_jpeg is {options.ood_jpeg}; it must lie between 1 and 95, or be 0 for no pass."
        )
    recipe = RunFolder.open(options.run).config()["recipe"]
    entry = recipe_of(recipe)
    if not entry.outliers:
        able = ", ".join(name for name, each in RECIPES.items() if each.outliers)
        raise ConfigError(
            f"{options.run} is a run of {recipe}; --ood and --corruptions measure the "
            f"discriminator of a run of {able}. Give such a run."
        )
    detector: Detector = entry.module("outliers").evaluate_outliers
    return detector


def measure_outliers(run: Run[Any, Any], detector: Detector, options: EvaluateOptions) -> Measured:
    """On the first process alone: measure the detector, add that to the other figures, report."""
    found = detector(
        run.state,
        sets=named_sources(options.ood),
        corruptions=options.corruptions,
        samples=options.ood_samples,
        jpeg=options.ood_jpeg,
    )
    # A run that was cut off before its evaluation gets the other figures too.
    earlier = evaluation_so_far(run) or run.evaluate()
    run.folder.save_evaluation(earlier.updated(found).as_dict())
    return Measured(found, earlier, write_report(run.folder))
