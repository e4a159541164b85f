"""`nda score RUN IMAGES`: which images of a folder, zip or list are anomalous, or which videos."""

from __future__ import annotations

from nda.api.refusals import refuse_score
from nda.api.settings import ScoreOptions
from nda.commands.parser import parse
from nda.runtime.idle_threads import sleep_when_idle


def score(words: list[str]) -> int:
    """Score, write what was asked for, print a summary."""
    options = parse(words, ScoreOptions, command="score", positional=("run", "images"))
    refuse_score(options)
    sleep_when_idle()

    from nda.api.media import is_run_of_videos
    from nda.commands.tables.score import exit_code, show

    # What is not needed is not imported: either takes seconds.
    if is_run_of_videos(options.run):
        from nda.api.score.videos import score_videos as work
    else:
        from nda.api.score.images import score_images as work
    scoring = work(options)
    show(options, scoring)
    return exit_code(options, scoring)
