"""A progress bar with images a second and time left; silent where nobody watches."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """Counts steps and shows the rate, on a terminal only."""

    def __init__(self, progress: Progress | None, *, step: int, steps: int) -> None:
        self._progress = progress
        if progress is not None:
            self._task = progress.add_task("training", total=steps, completed=step, rate="")

    def advance(self) -> None:
        if self._progress is not None:
            self._progress.advance(self._task)

    def show_rate(self, images_per_second: float) -> None:
        if self._progress is not None:
            self._progress.update(self._task, rate=f"{images_per_second:.0f} images/s")


@contextlib.contextmanager
def progress_bar(steps: int, step: int, main_process: bool) -> Iterator[Bar]:
    """Show the progress of a training on stderr if it is a terminal, from the first process."""
    if not (main_process and sys.stderr.isatty()):
        yield Bar(None, step=step, steps=steps)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bar(progress, step=step, steps=steps)
