"""How sensitive a model is to global structure: `nda probe`, from Python too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from nda.api.media import expecting_images
from nda.api.options import called, options_on, settings_shown
from nda.api.probe.encoders import probe_moco, probe_network, probe_torchvision
from nda.api.probe.inputs import ProbeAtHand, Subject, load_subject, refuse_other_side, trained_on
from nda.api.probe.videos import probe_video
from nda.api.refusals import refuse_probe
from nda.api.settings import ProbeOptions
from nda.errors import CheckpointError, ConfigError
from nda.evaluation.fidelity.gap import Score, discriminator_gap
from nda.evaluation.outliers.detector import image_scores, pooling_of
from nda.evaluation.record import Histogram, Metric, Protocol
from nda.evaluation.shortcuts.audit import shortcut_audit
from nda.negatives import Jigsaw
from nda.negatives.named import suited
from nda.networks.heads.third_class import NO_NEGATIVE
from nda.networks.torchvision_encoder import PREFIX, encoder_names
from nda.recipes import names_of, recipe_of
from nda.recipes.anomaly.load import open_detector
from nda.recipes.gan.load import discriminator_of, structure_head_of, three_classes_of
from nda.report.pages.probe import Probed, write_probe_figures, write_probe_page
from nda.report.probe_table import discriminator_table
from nda.report.shortcut_table import Audited, audited
from nda.report.words import number, run_title
from nda.runtime.devices import choose_device
from nda.runtime.notes import overheard
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


@settings_shown(ProbeOptions, out=None)
def probe(model: Any, images: Any, **settings: Any) -> Probed:
    """Measure how a model's output or features change when global structure breaks.

    Args:
        model: a run of gan, anomaly, moco or dpc, a network torchvision:NAME[:weights.pth], or
            one's own `torch.nn.Module` that turns images float32 (B, 3, H, H) in [-1, 1] into
            features (B, D); it is run in eval mode
        images: folder, .zip of a folder or torchvision:NAME, of videos for a run of dpc; or images
            at hand: a tensor uint8 (N, 3, H, H), arrays, pictures of Pillow or a data set of them;
            at least 4
        settings: those of `nda probe`; nothing is written unless `out` or `json` is given

    Returns:
        What was found: `.metrics` for each negative (gaps in units of the model's output, cosines
        from -1 to 1), `.histograms`, and the same as a `.table` with how to read it.

    Raises:
        UserError: settings out of range, and models and images that cannot be used.

    Examples:
        >>> pixels = torch.nn.Flatten()  # any module that makes features of images
        >>> probed = nda.probe(pixels, "photos/", negatives="jigsaw,horizontal_flip", device="cpu")
        >>> [metric.name for metric in probed.metrics[:2]]
        ['cosine_jigsaw', 'cosine_std_jigsaw']
    """
    command = called("nda.probe", model, images, **settings)
    network = model if isinstance(model, nn.Module) else None
    named = model if network is None else type(network).__name__
    options, at_hand = options_on(ProbeAtHand, images, settings, model=named)
    refuse_probe(options, given=at_hand is not None, own=network is not None)
    with overheard() as remarks:
        options = replace(options, at_hand=at_hand)
        probed = measure(options) if network is None else probe_network(options, network)
    probed.notes.extend(remarks)
    if options.json:
        write_probe_figures(Path(options.json), probed, command)
    if options.out:
        write_probe_page(Path(options.out), probed, command)
    return probed


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
    head = structure_head_of(checkpoint, discriminator, folder)
    others: dict[str, Score] = {}
    if head is not None:
        others = {"structure head": lambda x, _: head(discriminator.features(x))}
    if (three := three_classes_of(checkpoint, discriminator, folder)) is not None:
        others = {NO_NEGATIVE: three.no_negative}
    return _probed_run(
        options,
        folder,
        subject,
        score=discriminator,
        others=others,
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
        score=lambda x, _: -image_scores(detector.network(x), pooling_of(detector.network)),
        name="detector",
        settings=folder.config(),
        step=detector.settings.step,
    )


def _probed_run(
    options: ProbeOptions,
    folder: RunFolder,
    subject: Subject,
    *,
    score: Score,
    name: str = "discriminator",
    others: Mapping[str, Score] | None = None,
    settings: Mapping[str, Any],
    step: int,
) -> Probed:
    """The gap of `score`, high for real images, on every negative, and the audit of all scores."""
    protocol: Protocol = {"step": step, **subject.protocol, "seed": options.seed}
    metrics: list[Metric] = []
    histograms: list[Histogram] = []
    for each, negative in tracked(list(subject.negatives.items()), "scoring negatives"):
        measured, histogram = discriminator_gap(
            score,
            subject.images,
            subject.labels,
            negative,
            negative_name=each,
            generator=generator_for(options.seed, purpose="probe"),
            protocol=protocol,
            device=choose_device(options.device),
        )
        metrics += measured
        what = each.replace("_", " ")
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
        audits=_audits(options, subject, {name: score, **(others or {})}),
    )


def _audits(options: ProbeOptions, subject: Subject, scores: Mapping[str, Score]) -> list[Audited]:
    """Structure, or seams? None of images that no jigsaw can be made of."""
    if suited({"jigsaw": Jigsaw()}, subject.images[:2])[1]:
        return []
    return [
        audited(
            name,
            shortcut_audit(
                score,
                subject.images,
                subject.labels,
                generator=generator_for(options.seed, purpose="audit"),
                device=choose_device(options.device),
            ),
        )
        for name, score in scores.items()
    ]
