"""`nda score RUN IMAGES`: which images of a folder, zip or list are anomalous, or which videos."""

from __future__ import annotations

from nda.api.places import refuse_absent, refuse_no_run
from nda.api.score.place import ready_places
from nda.api.settings import ScoreOptions
from nda.bit_depths import check_bit_depth
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least


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

    from nda.api.score.images import score_images
    from nda.api.score.videos import is_run_of_videos, score_videos

    return score_videos(options) if is_run_of_videos(options.run) else score_images(options)
