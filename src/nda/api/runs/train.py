"""`nda train`, `nda resume` and `nda evaluate`, from Python."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nda.api.options import options_of
from nda.api.places import refuse_missing, refuse_no_run
from nda.api.refusals import refuse_evaluate
from nda.api.runs.outliers import detector_of, measure_outliers
from nda.api.runs.result import RunResult
from nda.api.runs.settings import recipe_settings
from nda.api.runs.work import at_work, lacks_page_alone, measure, open_run
from nda.api.settings import EvaluateOptions, ResumeOptions
from nda.data.images.given import write_pictures
from nda.errors import UserError
from nda.evaluation.record import Evaluation
from nda.recipes import recipe_of
from nda.report.pages.run import write_report
from nda.runtime.files import StrPath
from nda.runtime.notes import overheard
from nda.runtime.signals import Interrupted
from nda.training.engine import Run
from nda.training.run_folder import RunFolder
from nda.training.start import start

AT_HAND = "images.zip"  # in the folder of a run whose images were no files


def train(
    recipe: str,
    *,
    data: Any,
    out: StrPath,
    config: StrPath | None = None,
    full_size: bool = False,
    **settings: Any,
) -> RunResult:
    """Train a recipe on one's own data, measure it, and write its page.

    Args:
        recipe: its name, such as gan or anomaly; `nda train` lists them
        data: folder, .zip of a folder, or torchvision:NAME; or images at hand: a tensor uint8
            (N, 3, H, W), arrays, pictures of Pillow or a data set of them, which are kept in the
            run's folder as images.zip
        out: folder of the run to write; it must not hold one yet
        config: YAML file of settings, or a configuration that `nda configs` lists; those given
            here go over it
        full_size: take the published size where no GPU is, in place of the recipe's narrow one
        settings: those that `nda train RECIPE --help` lists, by the same names

    Returns:
        The run's folder, its figures and its page.

    Raises:
        UserError: settings that are unknown or out of range, data that cannot be used, a folder
            that holds a run, and a loss that is not finite.
        KeyboardInterrupt: Ctrl-C; the run is kept, and `resume` goes on with it.

    Examples:
        >>> small = dict(resolution=32, width=4, steps=2, batch_size=4, device="cpu")
        >>> run = nda.train("gan", data="photos/", out="runs/photos", **small)
        >>> run.report.name
        'report.html'
    """
    at_hand = not isinstance(data, str | Path)
    source = str(Path(out) / AT_HAND) if at_hand else data
    given = {**settings, "data": source, "out": out}
    chosen = recipe_settings(recipe, config=config, full_size=full_size, **given)
    entry = recipe_of(chosen.recipe)
    refuse_missing(chosen, given=at_hand)
    with _undisturbed() as remarks, at_work():
        with _kept_images(data, Path(source)) if at_hand else contextlib.nullcontext():
            run = start(entry.recipe(), chosen)
        remarks.extend(getattr(run.state, "told", ()))
        return _trained(run, remarks)


def resume(run: StrPath, **settings: Any) -> RunResult:
    """Continue a run from its newest checkpoint to its end, measure it, and write its page.

    Args:
        run: folder of the run
        settings: those of `nda resume`: `data` where it has moved, `steps`, `device`, `devices`,
            `num_nodes`

    Raises:
        UserError: a folder that holds no run, one that is finished, damaged checkpoints, and data
            that is not what the run was trained on.
        KeyboardInterrupt: as of `train`.

    Examples:
        >>> small = dict(resolution=32, width=4, steps=2, batch_size=4, device="cpu")
        >>> run = nda.train("gan", data="photos/", out="runs/photos", **small)
        >>> longer = nda.resume("runs/photos", steps=4)
    """
    options = options_of(ResumeOptions, {**settings, "run": run})
    refuse_no_run(options.run)
    changes = {name: value for name, value in vars(options).items() if name != "run"}
    with _undisturbed() as remarks, at_work():
        opened = open_run(options.run, anew=True, **changes)
        if lacks_page_alone(opened):
            return _result(opened.folder, write_report(opened.folder), remarks)
        return _trained(opened, remarks)


def evaluate(
    run: StrPath, *, ood: Mapping[str, StrPath] | Sequence[str] = (), **settings: Any
) -> RunResult:
    """Measure a run at its newest checkpoint and renew its page.

    Args:
        run: folder of the run
        ood: images from elsewhere by name, such as {"svhn": "svhn.zip"}; with them or with
            `corruptions` the run's detector is measured, and its other figures stay
        settings: the others of `nda evaluate`: `data`, `evaluation_samples`, `inception_weights`,
            `features`, `device`, `corruptions` ("made" or a folder), `ood_samples`, `ood_jpeg`

    Raises:
        UserError: as `resume`, and settings that are out of range or not for this recipe.

    Examples:
        >>> small = dict(resolution=32, width=4, steps=2, batch_size=4, device="cpu")
        >>> run = nda.train("gan", data="photos/", out="runs/photos", **small)
        >>> again = nda.evaluate("runs/photos", evaluation_samples=40)
        >>> again.metrics["gap_jigsaw"].protocol["real_images"]  # a tenth of 240, held out
        24
    """
    sets = [f"{name}={path}" for name, path in ood.items()] if isinstance(ood, Mapping) else ood
    options = options_of(EvaluateOptions, {**settings, "run": run, "ood": list(sets)})
    refuse_evaluate(options)
    detector = detector_of(options)
    with _undisturbed() as remarks, at_work():
        opened = open_run(
            options.run,
            data=options.data,
            evaluation_samples=options.evaluation_samples,
            inception_weights=options.inception_weights,
            features=options.features,
            device=options.device,
        )
        if detector is None:
            page = measure(opened).page
        else:
            page = measure_outliers(opened, detector, options).page
        return _result(opened.folder, page, remarks)


def _trained(run: Run[Any, Any], remarks: Sequence[str]) -> RunResult:
    if not run.train():
        raise Interrupted(run.stopped_by or 2)
    return _result(run.folder, measure(run).page, remarks)


def _result(folder: RunFolder, page: Path, remarks: Sequence[str]) -> RunResult:
    evaluation = Evaluation.from_dict(folder.evaluations()[-1])
    return RunResult(folder.path, evaluation, page, tuple(remarks))


@contextlib.contextmanager
def _undisturbed() -> Iterator[list[str]]:
    """Within, nothing is printed; the caller's random state is then as it was."""
    with overheard() as remarks, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield remarks


@contextlib.contextmanager
def _kept_images(images: Any, path: Path) -> Iterator[None]:
    """Images at hand as the data of a run, which are taken away again where it cannot begin."""
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if (path.parent / "config.yaml").exists():
            yield  # another run's folder, which is about to be refused
            return
        write_pictures(images, path)
        yield
    except BaseException as error:
        if isinstance(error, UserError):
            error.args = (_of_images_given(str(error), path),)
        if not (path.parent / "config.yaml").exists():
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for folder in made:
                    folder.rmdir()
        raise


def _of_images_given(message: str, path: Path) -> str:
    """A sentence on the file of images at hand, of which whoever gave them knows nothing."""
    for name in (str(path.absolute()), str(path)):
        message = message.replace(f"{name} has ", "the images given have ")
        message = message.replace(name, "the images given")
    return message[:1].upper() + message[1:] if message.startswith("the images") else message
