"""What is done with a run once it is open: measure it, report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nda.evaluation.outliers.metrics import outlier_part
from nda.evaluation.record import Evaluation
from nda.extras import needed
from nda.recipes import recipe_of
from nda.training.lock import release
from nda.training.run_folder import RunFolder
from nda.training.watch import lost_processes_told

with needed("A run needs Lightning Fabric, Jinja2 and matplotlib", "train"):
    from nda.report.pages.run import write_report
    from nda.training.engine import Run, check_unfinished
    from nda.training.start import extend, resume


@contextmanager
def at_work() -> Iterator[None]:
    """Around all that is done with a run: its folder is free again at the end.

    Where one of the run's processes is lost, that is told and not what follows from it.
    """
    try:
        with lost_processes_told():
            yield
    finally:
        release()


@dataclass(frozen=True)
class Measured:
    """What was measured of a run just now, what is kept of before, and its page."""

    evaluation: Evaluation
    kept: Evaluation
    page: Path


def open_run(path: str, **changes: Any) -> Run[Any, Any]:
    """The run in a folder, with `changes` to its settings where they are not None."""
    folder = RunFolder.open(path)
    entry = recipe_of(folder.config()["recipe"])
    return resume(entry.recipe(), entry.config_class(), folder, **changes)


def lacks_page_alone(run: Run[Any, Any]) -> bool:
    """Whether a run that is to go on has all but its page; otherwise it is made ready to train.

    Refuses one that is finished (`TrainingError`).
    """
    # It may have been cut off between its last step and its evaluation, or its page.
    if any(measured["step"] >= run.state.step for measured in run.folder.evaluations()):
        if run.state.step >= run.config.steps and not has_page(run.folder):
            return True
        check_unfinished(run.state, run.config)
    extend(run)
    return False


def has_page(folder: RunFolder) -> bool:
    """Whether the run's page was written after its last evaluation."""
    page = folder.path / "report.html"
    measured = folder.metrics_path.stat().st_mtime_ns
    return page.is_file() and page.stat().st_mtime_ns >= measured


def measure(run: Run[Any, Any]) -> Measured:
    """Evaluate a run as it stands and write its report; on the first process alone."""
    kept = outlier_part(evaluation_so_far(run) or Evaluation(run.state.step, []))
    # What is kept was not measured again, and may have taken long.
    evaluation = run.evaluate(kept if kept.metrics else None)
    return Measured(evaluation, kept, write_report(run.folder))


def evaluation_so_far(run: Run[Any, Any]) -> Evaluation | None:
    """What is known of the run at its present step."""
    steps = {int(fields["step"]): fields for fields in run.folder.evaluations()}
    fields = steps.get(run.state.step)
    return None if fields is None else Evaluation.from_dict(fields)
