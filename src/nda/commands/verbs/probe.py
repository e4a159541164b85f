"""`nda probe MODEL IMAGES`: how sensitive is a model to global structure? Of videos as well."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from nda.bit_depths import check_bit_depth
from nda.commands.parser import parse
from nda.commands.places import ready_outputs, refuse_absent, refuse_no_model
from nda.commands.verbs.preview import STRUCTURAL
from nda.errors import ConfigError
from nda.training.config import at_least


@dataclass(frozen=True)
class ProbeOptions:
    """Measure how a model's output or features change when global structure breaks.

    Args:
        model: a run of gan, anomaly, moco or dpc, or a network torchvision:NAME[:weights.pth]
        images: folder, .zip of a folder, or torchvision:NAME; for a run of dpc, of videos
        out: page to write
        json: file to write the figures to
        overwrite: replace files that are there
        count: images or videos to measure on, drawn at random, at least 4
        negatives: what to probe with, separated by commas, such as jigsaw:grid=4,stitch
        split: split of the images; the test or validation split where there is one
        resolution: side in pixels to bring the images to; needed where they differ in size
        input_size: side in pixels at which torchvision's networks see the images; by default 112
        classes: classes to use, separated by commas; all of them where none is given
        seed: seed of the choice of images, of the draws and of random weights
        device: auto, cpu, cuda, mps, or one card such as cuda:1
        skip_broken: skip unreadable images or videos in place of refusing them
        bit_depth: bits of the numbers in files of more than 8, such as 12 for a camera of 12 in 16
    """

    model: str
    images: str
    out: str = "probe.html"
    json: str | None = None
    overwrite: bool = False
    count: int = 2000
    negatives: str = ",".join(STRUCTURAL)
    split: str | None = None
    resolution: int | None = None
    input_size: int | None = None
    classes: str | None = None
    seed: int = 0
    device: str = "auto"
    skip_broken: bool = False
    bit_depth: int | None = None


def probe(words: list[str]) -> int:
    """Measure, print the table, write the page and, if asked for, the figures."""
    options = parse(words, ProbeOptions, command="probe", positional=("model", "images"))
    at_least(options, "count", 4)
    at_least(options, "seed", 0)
    check_bit_depth(options.bit_depth)
    for name, path, ending in (("out", options.out, ".html"), ("json", options.json, ".json")):
        if path is not None and not path.endswith(ending):
            raise ConfigError(f"--{name} {path} must end in {ending}.")
    refuse_no_model(options.model)
    refuse_absent(options.images)
    ready_outputs(options, "out", "json")

    from pathlib import Path

    from nda.commands.probe.runs import measure, show, write_figures
    from nda.report.pages.probe import write_probe_page

    probed = measure(options)
    command = shlex.join(["nda", "probe", *words])
    show(probed)
    if options.json:
        print(f"figures: {write_figures(Path(options.json), probed, command)}")
    print(f"page: {write_probe_page(Path(options.out), probed, command)}")
    return 0
