"""`nda score RUN IMAGES`: which images of a folder, zip or list are anomalous, or which videos."""

from __future__ import annotations

from nda.api.refusals import refuse_score
from nda.api.settings import ScoreOptions
from nda.commands.parser import parse


def score(words: list[str]) -> int:
    """Score, write what was asked for, print a summary."""
    options = parse(words, ScoreOptions, command="score", positional=("run", "images"))
    refuse_score(options)

    from nda.api.score.images import score_images
    from nda.api.score.videos import is_run_of_videos, score_videos
    from nda.commands.tables.score import exit_code, show

    work = score_videos if is_run_of_videos(options.run) else score_images
    scoring = work(options)
    show(options, scoring)
    return exit_code(options, scoring)
