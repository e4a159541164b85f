"""`nda score RUN IMAGES`: which images of a folder, zip or list are anomalous, or which videos."""

from __future__ import annotations

from dataclasses import dataclass

from nda.bit_depths import check_bit_depth
from nda.commands.parser import parse
from nda.commands.places import refuse_absent, refuse_no_run
from nda.commands.score_place import ready_places
from nda.errors import ConfigError
from nda.training.config import at_least


@dataclass(frozen=True)
class ScoreOptions:
    """Score images with a run of anomaly, or videos with one of dpc: score, p-value, verdict.

    Ends with code 0, with 2 where nothing could be read, and with 3 where --fail_on_anomaly is
    given and an image was flagged.

    Args:
        run: folder of the run, or a detector file that nda exported
        images: folder or .zip of images, one image, or - for paths on standard input; or videos,
            for a run of dpc
        out: .csv file to write: file, score, p_value, verdict, reason
        html: .html page to write, the most anomalous images or videos first
        heatmaps: folder to write a picture of each image under its heat to; not for videos
        false_alarm_rate: share of normal images that may be flagged; as trained if not given, and
            0.05 for videos
        batch_size: images scored at once, or windows of a video; fewer of them on a processor
        fail_on_anomaly: end with code 3 where an image or video was flagged
        overwrite: replace files that are there
        resume: go on with a scoring that was cut off, where there is one
        bit_depth: bits of the numbers in files of more than 8, where they are not those of the run
        device: auto, cpu, cuda, mps
    """

    run: str
    images: str
    out: str = "scores.csv"
    html: str | None = None
    heatmaps: str | None = None
    false_alarm_rate: float | None = None
    batch_size: int = 64
    fail_on_anomaly: bool = False
    overwrite: bool = False
    resume: bool = False
    bit_depth: int | None = None
    device: str = "auto"


def score(words: list[str]) -> int:
    """Score, write what was asked for, print a summary."""
    options = parse(words, ScoreOptions, command="score", positional=("run", "images"))
    at_least(options, "batch_size", 1)
    if options.overwrite and options.resume:
        raise ConfigError("--overwrite begins anew and --resume goes on; give one of them.")
    check_bit_depth(options.bit_depth)
    for name, ending in (("out", ".csv"), ("html", ".html")):
        value = getattr(options, name)
        if value is not None and not value.endswith(ending):
            raise ConfigError(f"--{name} {value} must end in {ending}.")
    refuse_no_run(options.run, or_file=True)
    if options.images != "-":
        refuse_absent(options.images)
    ready_places(options)

    from nda.commands.score.images import score_images
    from nda.commands.score.videos import is_run_of_videos, score_videos

    return score_videos(options) if is_run_of_videos(options.run) else score_images(options)
