"""What `nda probe` measures of encoders of images: torchvision's, and those of runs of moco."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch
from torch import nn

from nda.api.probe.inputs import load_subject, refuse_other_side, trained_on
from nda.api.settings import ProbeOptions
from nda.evaluation.features.structure import structure_similarity
from nda.evaluation.record import Protocol
from nda.networks.torchvision_encoder import USUAL_SIZE, TorchvisionEncoder, parse_model
from nda.recipes.encoders import open_encoder
from nda.report.pages.probe import Probed
from nda.report.probe_table import encoder_table
from nda.report.words import number, run_title
from nda.runtime.devices import choose_device
from nda.runtime.seeding import generator_for
from nda.training.run_folder import RunFolder


def probe_torchvision(options: ProbeOptions) -> Probed:
    """Cosines between the features of images and of their negatives (paper, Figure 9)."""
    device = choose_device(options.device)
    name, weights = parse_model(options.model)
    encoder = TorchvisionEncoder(name, weights, seed=options.seed, input_size=options.input_size)
    subject = load_subject(options)
    told = f"random, seed {options.seed}"
    note = (
        f"No weights were given, so {name} has random ones (seed {options.seed}): these figures "
        "are those of the architecture before it has learned anything."
    )
    if weights is not None:
        told = f"{weights.name}, sha256 {hashlib.sha256(weights.read_bytes()).hexdigest()[:8]}"
        note = (
            f"The network sees the images at {encoder.input_size} pixels. Weights trained at "
            f"another size, such as {USUAL_SIZE}, are probed fairly at that: --input_size."
        )
    protocol: Protocol = {
        "model": f"torchvision {name} without its head",
        "weights": told,
        "input_size": encoder.input_size,
        **subject.protocol,
        "seed": options.seed,
    }
    metrics, histograms = structure_similarity(
        encoder.to(device),
        subject.images,
        subject.negatives,
        generator=generator_for(options.seed, purpose="probe"),
        protocol=protocol,
        device=device,
    )
    return Probed(
        title=f"{name}: do its features see global structure?",
        summary=f"torchvision's {name} without its head, weights {told}, on {subject.words}.",
        notes=[*subject.notes, *([note] if weights is None or options.input_size is None else [])],
        protocol=metrics[0].protocol,
        table=encoder_table(metrics, subject.names, subject.refused),
        metrics=metrics,
        histograms=histograms,
        examples=subject.examples(),
    )


def probe_network(options: ProbeOptions, network: nn.Module) -> Probed:
    """The same of one's own network, which is left in the mode and on the device it was in."""
    subject, name = load_subject(options), type(network).__name__
    place = next(iter(network.parameters()), torch.empty(0)).device
    was_training = network.training
    protocol: Protocol = {"model": name, **subject.protocol, "seed": options.seed}
    try:
        metrics, histograms = structure_similarity(
            network.eval(),
            subject.images,
            subject.negatives,
            generator=generator_for(options.seed, purpose="probe"),
            protocol=protocol,
            device=place,
        )
    finally:
        network.train(was_training)
    return Probed(
        title=f"{name}: do its features see global structure?",
        summary=f"{name}, on {subject.words}.",
        notes=subject.notes,
        protocol=metrics[0].protocol,
        table=encoder_table(metrics, subject.names, subject.refused),
        metrics=metrics,
        histograms=histograms,
        examples=subject.examples(),
    )


def probe_moco(options: ProbeOptions, folder: RunFolder) -> Probed:
    """The same of the encoder of a run of moco, at the size of the images it was trained on."""
    device = choose_device(options.device)
    encoder = open_encoder(options.model)
    side, settings, run = int(encoder.resolution or 0), folder.config(), encoder.origin.run
    refuse_other_side(options, side)
    bits = options.bit_depth or settings.get("bit_depth")
    subject = load_subject(replace(options, resolution=side, bit_depth=bits))
    protocol: Protocol = {
        "model": f"encoder of {run}",
        "step": encoder.origin.step,
        "weights": f"digest {encoder.origin.digest}",
        "input_size": side,
        **subject.protocol,
        "seed": options.seed,
    }
    metrics, histograms = structure_similarity(
        encoder.network.to(device),
        subject.images,
        subject.negatives,
        generator=generator_for(options.seed, purpose="probe"),
        protocol=protocol,
        device=device,
    )
    step = number(encoder.origin.step)
    return Probed(
        title=f"{run}: do its features see global structure?",
        summary=f"{run} ({run_title(settings)}) at step {step}, on {subject.words}.",
        notes=[*subject.notes, *trained_on(options, settings["data"], subject)],
        protocol=metrics[0].protocol,
        table=encoder_table(metrics, subject.names, subject.refused),
        metrics=metrics,
        histograms=histograms,
        examples=subject.examples(),
    )
