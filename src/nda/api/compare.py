"""Runs side by side: `nda compare`, from Python too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nda.api.options import options_of
from nda.api.page_settings import CompareOptions
from nda.api.places import ready_outputs
from nda.extras import needed
from nda.runtime.files import StrPath
from nda.runtime.notes import overheard
from nda.training.run_folder import RunFolder

with needed("nda.compare needs Jinja2 and matplotlib", "train"):
    from nda.report.pages.compare import Comparison, compare_runs, write_comparison


def compare(runs: Sequence[StrPath], *, out: StrPath = "", overwrite: bool = False) -> Comparison:
    """Set runs of one recipe side by side; runs that differ by seed only make one group.

    Args:
        runs: folders of the runs, two or more
        out: .html page to write; none if not given
        overwrite: replace a file that is there

    Returns:
        The settings in which they differ, and their figures, a block for each.

    Raises:
        UserError: fewer than two runs, one run twice, runs of different recipes, and folders that
            are no runs.

    Examples:
        >>> small = dict(resolution=32, width=4, steps=2, batch_size=4, device="cpu")
        >>> plain = nda.train("gan", data="photos/", out="runs/plain", negative="none", **small)
        >>> broken = nda.train("gan", data="photos/", out="runs/jigsaw", negative="jigsaw", **small)
        >>> compared = nda.compare([plain.run, broken.run], out="comparison.html")
    """
    options = options_of(CompareOptions, {"runs": list(runs), "out": out, "overwrite": overwrite})
    ready_outputs(options)
    with overheard():
        comparison = compare_runs([RunFolder.open(run) for run in options.runs])
        if options.out:
            write_comparison(comparison, Path(options.out))
    return comparison
