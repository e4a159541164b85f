"""The settings of commands that make pages of runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportOptions:
    """Write a run's page, RUN/report.html: one file that needs no other.

    Args:
        run: folder of the run
    """

    run: str


@dataclass(frozen=True)
class CompareOptions:
    """Write one page that sets runs side by side; runs that differ by seed only are averaged.

    Args:
        runs: folders of the runs, two or more
        out: page to write
        overwrite: replace files that are there
    """

    runs: list[str]
    out: str = "comparison.html"
    overwrite: bool = False
