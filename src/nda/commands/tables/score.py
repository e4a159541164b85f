"""What `nda score` prints, and the code that it ends with."""

from __future__ import annotations

import sys

from nda.api.score.images import Scoring
from nda.api.settings import ScoreOptions
from nda.validators import counted

FLAGGED = 3  # the exit code of --fail_on_anomaly
UNREADABLE = 2  # and that of a source of which nothing could be scored


def show(options: ScoreOptions, scoring: Scoring) -> None:
    """What was found, and where it was written."""
    counts = scoring.seen.counts
    by = scoring.limit.words if scoring.limit else f"at a false-alarm rate of {scoring.rate:g}"
    print(
        f"{counted(scoring.seen.total, scoring.of)} {by}: "
        f"{counts['anomalous']} anomalous, {counts['normal']} normal, "
        f"{counts['broken']} could not be scored"
    )
    print(scoring.how)
    for note in scoring.notes:
        print(f"note: {note}")
    for what, path in (
        ("scores", options.out),
        ("page", options.html),
        ("heat maps", options.heatmaps),
    ):
        if path:
            print(f"{what}: {path}")
    for remark in scoring.remarks:
        print(f"nda: {remark}", file=sys.stderr)


def exit_code(options: ScoreOptions, scoring: Scoring) -> int:
    """Of a command that has written its results: what was found, or that nothing was scored."""
    seen = scoring.seen
    if seen.counts["broken"] == seen.total:
        print(
            f"nda: none of {seen.total:,} files in {options.images} could be scored; {options.out} "
            "says why.",
            file=sys.stderr,
        )
        return UNREADABLE
    return FLAGGED if options.fail_on_anomaly and seen.counts["anomalous"] else 0
