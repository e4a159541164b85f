"""What commands tell of a run that is trained to its end, measured and reported."""

from __future__ import annotations

import sys
from typing import Any

from nda.api.runs.work import lacks_page_alone, measure
from nda.commands.runs.figures import print_evaluation
from nda.report.pages.run import write_report
from nda.runtime.signals import Interrupted
from nda.training.engine import Run


def resume_and_evaluate(run: Run[Any, Any]) -> int:
    """`train_and_evaluate` for an unfinished run; refuses another (`TrainingError`)."""
    if lacks_page_alone(run):
        if run.fabric.is_global_zero:
            print(f"report: {write_report(run.folder)}")
        return 0
    return train_and_evaluate(run)


def train_and_evaluate(run: Run[Any, Any]) -> int:
    """Train a run to its end, then evaluate it and write its report; gives the exit code."""
    complete = run.train()
    if not run.fabric.is_global_zero:
        return 0  # whatever happened: another code would make Fabric kill the first process
    if not complete:
        print(
            f"nda: stopped at step {run.state.step} of {run.config.steps}; nothing is lost. "
            f"Continue with: nda resume {run.folder.path}",
            file=sys.stderr,
        )
        return 128 + (run.stopped_by or 2)  # 130 for Ctrl-C, as a shell reckons it
    try:
        evaluate_and_report(run)
    except KeyboardInterrupt as interrupt:
        print(
            f"nda: stopped while measuring step {run.state.step}; nothing of the training is lost. "
            f"Finish with: nda resume {run.folder.path}",
            file=sys.stderr,
        )
        return interrupt.code if isinstance(interrupt, Interrupted) else 130
    return 0


def evaluate_and_report(run: Run[Any, Any]) -> None:
    """On the first process: evaluate, write the report, print the figures and where they are."""
    if not run.fabric.is_global_zero:
        return
    measured = measure(run)
    print_evaluation(measured.evaluation)
    for table in dict.fromkeys(metric.table for metric in measured.kept.metrics):
        print(f"kept as it was: {table}")
    print(f"report: {measured.page}")
