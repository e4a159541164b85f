"""`nda report` and `nda compare`: pages from run folders, without loading a network."""

from __future__ import annotations

from nda.api.page_settings import CompareOptions, ReportOptions
from nda.api.places import ready_outputs, refuse_no_run
from nda.commands.parser import parse


def report(words: list[str]) -> int:
    """Write the page of a run."""
    options = parse(words, ReportOptions, command="report", positional="run")
    refuse_no_run(options.run)

    from nda.report.pages.run import write_report
    from nda.training.run_folder import RunFolder

    print(f"report: {write_report(RunFolder.open(options.run))}")
    return 0


def compare(words: list[str]) -> int:
    """Write the page of several runs."""
    options = parse(words, CompareOptions, command="compare", positional="runs", several=True)
    for run in options.runs:
        refuse_no_run(run)
    ready_outputs(options)

    from pathlib import Path

    from nda.report.pages.compare import write_comparison
    from nda.training.run_folder import RunFolder

    runs = [RunFolder.open(run) for run in options.runs]
    print(f"comparison: {write_comparison(runs, Path(options.out))}")
    return 0
