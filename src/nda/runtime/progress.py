"""Progress bars on stderr, silent where that is no terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    track,
)

from nda.runtime.console import console
from nda.training.config import RunConfig

T = TypeVar("T")


def tracked(items: Iterable[T], title: str, total: int | None = None) -> Iterable[T]:
    """The items, under a bar; `total` says how many they are where they cannot be counted."""
    return track(
        items,
        title,
        total=total,
        console=console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


@contextmanager
def progress(title: str, total: int | None, done: int = 0) -> Iterator[Callable[..., None]]:
    """A bar of `total` steps, `done` of them taken; what is given advances it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    quiet = not sys.stderr.isatty()
    with Progress(*columns, console=console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda count=1: bar.advance(task, count)


class Bar:
    """Counts steps and shows the rate, on a terminal only."""

    def __init__(self, progress: Progress | None, config: RunConfig, step: int) -> None:
        self._progress, self._samples = progress, config.samples_are
        if progress is not None:
            self._task = progress.add_task("training", total=config.steps, completed=step, rate="")

    def advance(self) -> None:
        if self._progress is not None:
            self._progress.advance(self._task)

    def show_rate(self, samples_per_second: float) -> None:
        if self._progress is not None:
            self._progress.update(self._task, rate=f"{samples_per_second:.0f} {self._samples}/s")


@contextlib.contextmanager
def progress_bar(config: RunConfig, step: int, main_process: bool) -> Iterator[Bar]:
    """Show the progress of a training on stderr if it is a terminal, from the first process."""
    if not (main_process and sys.stderr.isatty()):
        yield Bar(None, config, step)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True)) as progress:
        yield Bar(progress, config, step)
