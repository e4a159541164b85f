"""`nda check IMAGES`: which negatives are valid and informative for one's own data?"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from nda.commands.parser import parse
from nda.commands.places import ready_outputs, refuse_missing
from nda.commands.verbs.preview import PREVIEWED
from nda.errors import ConfigError
from nda.training.config import at_least

FEWEST = 200  # images: with fewer, an interval of the held-out fifth says nothing


@dataclass(frozen=True)
class CheckOptions:
    """Find which negatives are valid and informative for your data, before training on them.

    Args:
        images: folder, .zip of a folder, or torchvision:NAME; at least 200 images
        out: page to write
        json: file to write the figures to
        overwrite: replace files that are there
        negatives: what to check, separated by commas, such as jigsaw:grid=4,blemish
        resolution: side in pixels to bring the images to; needed where they differ in size
        classes: classes to use, separated by commas; all of them where none is given
        count: images to use at most, drawn at random; a fifth of them is held out
        steps: steps that each probe is trained for
        seeds: trainings of the probes; with several, intervals include how trainings differ
        seed: seed of the choice of images, of the negatives and of the probes
        skip_broken: skip unreadable images in place of refusing them
        bit_depth: bits of the numbers in files of more than 8, such as 12 for a camera of 12 in 16
        device: auto, cpu, cuda, mps, or one card such as cuda:1
    """

    images: str
    out: str = "check.html"
    json: str | None = None
    overwrite: bool = False
    negatives: str = ",".join(PREVIEWED)
    resolution: int | None = None
    classes: str | None = None
    count: int = 10000
    steps: int = 300
    seeds: int = 1
    seed: int = 0
    skip_broken: bool = False
    bit_depth: int | None = None
    device: str = "auto"


def check(words: list[str]) -> int:
    """Probe, print the table, write the page and, if asked for, the figures."""
    options = parse(words, CheckOptions, command="check", positional="images")
    for name, smallest in (("count", FEWEST), ("steps", 1), ("seeds", 1), ("seed", 0)):
        at_least(options, name, smallest)
    for name, path, ending in (("out", options.out, ".html"), ("json", options.json, ".json")):
        if path is not None and not path.endswith(ending):
            raise ConfigError(f"--{name} {path} must end in {ending}.")
    refuse_missing(options, "images")
    ready_outputs(options, "out", "json")

    from pathlib import Path

    from nda.commands.check_negatives import measure, show, write_figures
    from nda.report.pages.check import write_check_page

    checked = measure(options)
    command = shlex.join(["nda", "check", *words])
    show(checked)
    if options.json:
        print(f"figures: {write_figures(Path(options.json), checked, command)}")
    print(f"page: {write_check_page(Path(options.out), checked, command)}")
    return 0
