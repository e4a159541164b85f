"""`nda score RUN IMAGES`: which images of a folder, zip or list are anomalous."""

from __future__ import annotations

from dataclasses import dataclass

from nda.commands.options import parse
from nda.errors import ConfigError
from nda.training.config import at_least


@dataclass(frozen=True)
class ScoreOptions:
    """Score images with a trained anomaly run: a score, a p-value and a verdict for each.

    Ends with code 0, or with 3 where --fail_on_anomaly is given and an image was flagged.

    Args:
        run: folder of the run, or a detector file that nda exported
        images: folder or .zip of images, or - for a list of paths on standard input
        out: .csv file to write: file, score, p_value, verdict, reason
        html: .html page to write, the most anomalous images first
        heatmaps: folder to write a picture of each image under its heat to
        false_alarm_rate: share of normal images that may be flagged; as trained if not given
        batch_size: images scored at once
        fail_on_anomaly: end with code 3 where an image was flagged
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
    device: str = "auto"


def score(words: list[str]) -> int:
    """Score, write what was asked for, print a summary."""
    options = parse(words, ScoreOptions, command="score", positional=("run", "images"))
    at_least(options, "batch_size", 1)
    for name, ending in (("out", ".csv"), ("html", ".html")):
        value = getattr(options, name)
        if value is not None and not value.endswith(ending):
            raise ConfigError(f"--{name} {value} must end in {ending}.")

    from nda.commands.scoring import score_images

    return score_images(options)
