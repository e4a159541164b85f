"""`nda resume`, `evaluate`, `sample`: what needs nothing but a run folder."""

from __future__ import annotations

from dataclasses import replace

from nda.api.places import ready_outputs, refuse_absent, refuse_lost, refuse_no_run
from nda.api.refusals import refuse_evaluate
from nda.api.settings import EvaluateOptions, ResumeOptions, SampleOptions
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least, counted


def resume(words: list[str]) -> int:
    """Continue a run to its end."""
    options = parse(words, ResumeOptions, command="resume", positional="run")
    refuse_no_run(options.run)

    from nda.api.runs.work import at_work, open_run
    from nda.commands.runs.finish import resume_and_evaluate

    with at_work():
        return resume_and_evaluate(
            open_run(
                options.run,
                anew=True,
                data=options.data,
                steps=options.steps,
                device=options.device,
                devices=options.devices,
                num_nodes=options.num_nodes,
            )
        )


def evaluate(words: list[str]) -> int:
    """Measure a run again."""
    options = parse(
        words,
        EvaluateOptions,
        command="evaluate",
        positional="run",
        alone={"corruptions": "made"},
    )
    refuse_evaluate(options)

    from nda.api.runs.outliers import detector_of, measure_outliers
    from nda.api.runs.work import at_work, open_run
    from nda.commands.runs.figures import print_evaluation
    from nda.commands.runs.finish import evaluate_and_report

    detector = detector_of(options)
    with at_work():
        run = open_run(
            options.run,
            data=options.data,
            evaluation_samples=options.evaluation_samples,
            inception_weights=options.inception_weights,
            features=options.features,
            device=options.device,
        )
        if detector is None:
            evaluate_and_report(run)
        elif run.fabric.is_global_zero:
            measured = measure_outliers(run, detector, options)
            print_evaluation(measured.evaluation)
            print(f"report: {measured.page}")
    return 0


def sample(words: list[str]) -> int:
    """Draw images from a run, or translate images with one."""
    options = parse(words, SampleOptions, command="sample", positional=("run", "images"))
    refuse_no_run(options.run)
    if options.images is not None:
        refuse_absent(options.images)
    count = 64 if options.count is None else options.count
    if count < 1:
        raise ConfigError(f"count is {options.count}; it must be at least 1.")
    at_least(options, "seed", 0)
    if options.images is not None:
        refuse_no_folder(options)
        ready_outputs(options, source=options.images)
        from nda.commands.runs.translate import translate_images

        return translate_images(options)
    options = replace(options, out=options.out or "samples.png")
    refuse_lost(options)

    from pathlib import Path

    from nda.commands.cost import FEW, refuse_costly
    from nda.recipes.gan.load import load_sampler
    from nda.recipes.gan.sampler import BATCH_SIZE
    from nda.report.pictures.grid import check_place, save_files, save_images
    from nda.runtime.devices import choose_device
    from nda.training.run_folder import RunFolder

    folder = RunFolder.open(options.run)
    device = choose_device(options.device or folder.config()["device"])
    sampler, checkpoint = load_sampler(folder, device)
    out = check_place(Path(str(options.out)), count, sampler.resolution)
    if count > FEW:
        refuse_costly(out, count, sampler.cost(), allowed=options.costly)
    if out.suffix.lower() == ".png":
        save_images(sampler.sample(count, options.seed), out)
    else:
        for number, images in enumerate(sampler.sampled(count, options.seed)):
            save_files(images, out, number * BATCH_SIZE)
    print(f"{counted(count, 'image')} of step {checkpoint['step']}: {out}")
    return 0


def refuse_no_folder(options: SampleOptions) -> None:
    """Refuse a place for translations that is no folder, or is that of the image read."""
    if options.out is None:
        raise ConfigError(
            f"Where to? Give a folder for the translations of {options.images}: --out."
        )

    from pathlib import Path

    out = Path(options.out)
    if out.is_file() or out.suffix.lower() == ".png":
        raise ConfigError(f"--out {out} must be a folder: a file is written for every image.")
    image = Path(str(options.images)).expanduser()
    if image.suffix.lower() == ".png" and out.resolve() == image.resolve().parent:
        raise ConfigError(
            f"--out {out} holds {image}, whose translation has the same name; give another folder."
        )
