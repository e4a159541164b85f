"""What `nda probe` does: open the model, measure it, and tell.

Kept apart from the options, so that `--help` does not wait for torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from nda.api.media import expecting_images
from nda.api.probe.encoders import probe_moco, probe_torchvision
from nda.api.probe.inputs import Subject, load_subject, refuse_other_side, trained_on
from nda.api.probe.videos import probe_video
from nda.api.settings import ProbeOptions
from nda.errors import CheckpointError, ConfigError
from nda.evaluation.fidelity.gap import Score, discriminator_gap
from nda.evaluation.outliers.detector import image_scores
from nda.evaluation.record import Histogram, Metric, Protocol
from nda.networks.torchvision_encoder import PREFIX, encoder_names
from nda.recipes import names_of, recipe_of
from nda.recipes.anomaly.load import open_detector
from nda.recipes.gan.load import discriminator_of
from nda.report.pages.probe import Probed
from nda.report.probe_table import discriminator_table
from nda.report.words import number, run_title
from nda.runtime.console import console
from nda.runtime.devices import choose_device
from nda.runtime.files import write_text_atomically
from nda.runtime.progress import tracked
from nda.runtime.seeding import generator_for
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder

# What of a run is probed, and what that takes.
TAKES = {
    "discriminator": "discriminator takes images",
    "detector": "discriminator takes images",
    "encoder": "encoder takes images",
    "video encoder": "encoder takes frames",
}


def measure(options: ProbeOptions) -> Probed:
    """Measure the model on the images, or videos, that the options name."""
    if options.model.startswith(PREFIX):
        with expecting_images(options.images, options.model):
            return probe_torchvision(options)
    if options.model in encoder_names() and not Path(options.model).exists():
        raise ConfigError(f"There is no run {options.model}; did you mean {PREFIX}{options.model}?")
    folder = RunFolder.open(options.model)
    recipe = folder.config()["recipe"]
    part = recipe_of(recipe).probed
    if part == "nothing":
        raise CheckpointError(
            f"{options.model} is a run of {recipe}, which cannot be probed; give a run of "
            f"{names_of(lambda entry: entry.probed in ('discriminator', 'detector'))}, for its "
            f"discriminator, one of {names_of(lambda entry: 'encoder' in entry.probed)}, for its "
            f"encoder, or an encoder as {PREFIX}NAME[:weights.pth]."
        )
    if options.input_size is not None:
        raise ConfigError(
            f"input_size is {options.input_size}, but {options.model} is a run, whose "
            f"{TAKES[part]} of one size; leave the setting out."
        )
    if part == "video encoder":
        return probe_video(options)
    kinds = {
        "discriminator": probe_discriminator,
        "detector": probe_detector,
        "encoder": probe_moco,
    }
    with expecting_images(options.images, options.model):
        return kinds[part](options, folder)


def probe_discriminator(options: ProbeOptions, folder: RunFolder) -> Probed:
    """The gap D(x) - D(negative(x)) of a GAN run (paper, Figure 4)."""
    checkpoint = load_latest(folder)
    discriminator = discriminator_of(checkpoint, folder).to(choose_device(options.device))
    settings, classes = checkpoint["config"], discriminator.classes
    subject = load_subject(
        replace(options, bit_depth=options.bit_depth or settings.get("bit_depth")),
        side=discriminator.resolution,
        classes=settings["classes"] if classes > 1 else None,
    )
    if classes > 1 and len(subject.classes) != classes:
        raise ConfigError(
            f"{options.model} is conditional on {classes} classes, and {options.images} has "
            f"{len(subject.classes) or 'none'}; give images in the class folders of its data."
        )
    subject = replace(subject, labels=subject.labels * (classes > 1))
    return _probed_run(
        options,
        folder,
        subject,
        score=discriminator,
        settings=settings,
        step=checkpoint["step"],
    )


def probe_detector(options: ProbeOptions, folder: RunFolder) -> Probed:
    """The same gap of an anomaly run, whose outlier score is taken for -D."""
    detector = open_detector(options.model).to(choose_device(options.device))
    side, fit = detector.settings.resolution, detector.settings.fit
    refuse_other_side(options, side)
    bits = options.bit_depth or detector.settings.bit_depth
    subject = load_subject(replace(options, resolution=side, bit_depth=bits), fit=fit)
    note = "D(x) is minus the outlier score: a gap is how much higher the negative scores."
    return _probed_run(
        options,
        folder,
        replace(subject, notes=[*subject.notes, note]),
        score=lambda x, _: -image_scores(detector.network(x)),
        settings=folder.config(),
        step=detector.settings.step,
    )


def _probed_run(
    options: ProbeOptions,
    folder: RunFolder,
    subject: Subject,
    *,
    score: Score,
    settings: Mapping[str, Any],
    step: int,
) -> Probed:
    """The gap of `score`, high for real images, on every negative."""
    protocol: Protocol = {"step": step, **subject.protocol, "seed": options.seed}
    metrics: list[Metric] = []
    histograms: list[Histogram] = []
    for name, negative in tracked(list(subject.negatives.items()), "scoring negatives"):
        measured, histogram = discriminator_gap(
            score,
            subject.images,
            subject.labels,
            negative,
            negative_name=name,
            generator=generator_for(options.seed, purpose="probe"),
            protocol=protocol,
            device=choose_device(options.device),
        )
        metrics += measured
        what = name.replace("_", " ")
        title = f"Discriminator on images and their {what} negatives"  # held out or not
        histograms.append(replace(histogram, title=title))
    run = folder.path.resolve().name
    return Probed(
        title=f"{run}: does its discriminator see global structure?",
        summary=f"{run} ({run_title(settings)}) at step {number(step)}, on {subject.words}.",
        notes=[*subject.notes, *trained_on(options, settings["data"], subject)],
        protocol={"model": run, **protocol, "images": len(subject.images)},
        table=discriminator_table(metrics, subject.names, subject.refused),
        metrics=metrics,
        histograms=histograms,
        examples=subject.examples(),
    )


def show(probed: Probed) -> None:
    """Print what was probed, the table and how to read it."""
    out = console()
    out.print(probed.summary)
    for note in probed.notes:
        out.print(f"note: {note}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)  # fits 80 columns
    for column, heading in enumerate(probed.table.header):
        table.add_column(heading, justify="right" if column else "left", no_wrap=column > 0)
    for row in probed.table.rows:
        table.add_row(row.name, *(row.cells or ["not measured"]))
    out.print(table)
    for row in probed.table.rows:
        if row.refused:
            text = f"{row.name} was not measured: {row.refused}"
            out.print(text)
    out.print(probed.table.reading)


def write_figures(path: Path, probed: Probed, command: str) -> Path:
    """Keep what was measured, with what to type to measure it again."""
    content = {
        "command": command,
        "summary": probed.summary,
        "notes": probed.notes,
        "protocol": probed.protocol,
        "not_measured": {row.name: row.refused for row in probed.table.rows if row.refused},
        "metrics": [asdict(metric) for metric in probed.metrics],
        "histograms": [asdict(histogram) for histogram in probed.histograms],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return path
