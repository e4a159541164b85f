"""What commands do with a run once it is open: train it to its end, measure it, report.

Kept apart from the options, so that `--help` does not wait for torch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nda.commands.runs.figures import print_evaluation
from nda.evaluation.outliers.metrics import outlier_part
from nda.evaluation.record import Evaluation
from nda.recipes import recipe_of
from nda.report.pages.run import write_report
from nda.training.start import extend, resume
from nda.training.engine import Run, check_unfinished
from nda.training.lock import release
from nda.training.run_folder import RunFolder
from nda.runtime.signals import Interrupted
from nda.training.watch import lost_processes_told


@contextmanager
def at_work() -> Iterator[None]:
    """Around all that a command does with a run: its folder is free again at the end.

    Where one of the run's processes is lost, that is told and not what follows from it.
    """
    try:
        with lost_processes_told():
            yield
    finally:
        release()


def open_run(path: str, **changes: Any) -> Run[Any, Any]:
    """The run in a folder, with `changes` to its settings where they are not None."""
    folder = RunFolder.open(path)
    entry = recipe_of(folder.config()["recipe"])
    return resume(entry.recipe(), entry.config_class(), folder, **changes)


def resume_and_evaluate(run: Run[Any, Any]) -> int:
    """`train_and_evaluate` for a run that is not finished yet; refuses another (`TrainingError`)."""
    # It may have been cut off between its last step and its evaluation, or its page.
    if any(measured["step"] >= run.state.step for measured in run.folder.evaluations()):
        if run.state.step >= run.config.steps and not has_page(run.folder):
            if run.fabric.is_global_zero:
                print(f"report: {write_report(run.folder)}")
            return 0
        check_unfinished(run.state, run.config)
    extend(run)
    return train_and_evaluate(run)


def has_page(folder: RunFolder) -> bool:
    """Whether the run's page was written after its last evaluation."""
    page = folder.path / "report.html"
    measured = folder.metrics_path.stat().st_mtime_ns
    return page.is_file() and page.stat().st_mtime_ns >= measured


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
    kept = outlier_part(evaluation_so_far(run) or Evaluation(run.state.step, []))
    # What is kept was not measured again, and may have taken long.
    evaluation = run.evaluate(kept if kept.metrics else None)
    page = write_report(run.folder)
    print_evaluation(evaluation)
    for table in dict.fromkeys(metric.table for metric in kept.metrics):
        print(f"kept as it was: {table}")
    print(f"report: {page}")


def evaluation_so_far(run: Run[Any, Any]) -> Evaluation | None:
    """What is known of the run at its present step."""
    steps = {int(fields["step"]): fields for fields in run.folder.evaluations()}
    fields = steps.get(run.state.step)
    return None if fields is None else Evaluation.from_dict(fields)
