"""`nda resume`, `evaluate`, `sample`: what needs nothing but a run folder."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nda.commands.options import parse
from nda.errors import ConfigError

if TYPE_CHECKING:
    from nda.training.engine import Run


@dataclass(frozen=True)
class ResumeOptions:
    """Continue a run from its newest checkpoint.

    Args:
        run: folder of the run
        steps: train to this step in place of the one in config.yaml
        device: auto, cpu, cuda, mps; as before if not given
    """

    run: str
    steps: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a run at its newest checkpoint and renew its report.

    Args:
        run: folder of the run
        evaluation_samples: images generated for each figure; as configured if not given
        inception_weights: file of torch-fidelity's Inception weights
        device: auto, cpu, cuda, mps; as before if not given
    """

    run: str
    evaluation_samples: int | None = None
    inception_weights: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class SampleOptions:
    """Draw images from a run's averaged generator.

    Args:
        run: folder of the run
        out: a .png file for one grid, or a folder for one file an image
        count: number of images
        seed: seed of the latents
        device: auto, cpu, cuda, mps; as before if not given
    """

    run: str
    out: str = "samples.png"
    count: int = 64
    seed: int = 0
    device: str | None = None


def resume(words: list[str]) -> int:
    """Continue a run to its end."""
    options = parse(words, ResumeOptions, command="resume", positional="run")
    run = _reopen(options.run, steps=options.steps, device=options.device)

    from nda.training.engine import check_unfinished

    # A run may have been cut off between its last step and its evaluation.
    if any(measured["step"] >= run.state.step for measured in run.folder.evaluations()):
        check_unfinished(run.state, run.config)
    return finish(run)


def evaluate(words: list[str]) -> int:
    """Measure a run again."""
    options = parse(words, EvaluateOptions, command="evaluate", positional="run")
    run = _reopen(
        options.run,
        evaluation_samples=options.evaluation_samples,
        inception_weights=options.inception_weights,
        device=options.device,
    )
    conclude(run)
    return 0


def sample(words: list[str]) -> int:
    """Draw images from a run."""
    options = parse(words, SampleOptions, command="sample", positional="run")
    if options.count < 1:
        raise ConfigError(f"count is {options.count}; it must be at least 1.")

    from pathlib import Path

    from nda.report.grid import save_images

    run = _reopen(options.run, device=options.device)
    images = run.recipe.sample(run.state, options.count, options.seed)
    written = save_images(images, Path(options.out))
    print(f"{len(images)} images of step {run.state.step}: {written}")
    return 0


def finish(run: Run[Any, Any]) -> int:
    """Train a run to its end, then evaluate it and write its report; gives the exit code."""
    complete = run.train()
    if not run.fabric.is_global_zero:
        return 0
    if not complete:
        print(
            f"nda: stopped at step {run.state.step} of {run.config.steps}; nothing is lost. "
            f"Continue with: nda resume {run.folder.path}",
            file=sys.stderr,
        )
        return 130
    conclude(run)
    return 0


def conclude(run: Run[Any, Any]) -> None:
    """Evaluate, write the report, and print both figures and where they are."""
    from nda.commands.figures import print_evaluation
    from nda.report.page import write_report

    evaluation = run.evaluate()
    page = write_report(run.folder)
    print_evaluation(evaluation)
    print(f"report: {page}")


def _reopen(path: str, **changes: Any) -> Run[Any, Any]:
    from nda.recipes import recipe_of
    from nda.training.begin import reopen
    from nda.training.run_folder import RunFolder

    folder = RunFolder.open(path)
    entry = recipe_of(folder.config()["recipe"])
    return reopen(entry.recipe(), entry.config_class(), folder, **changes)
