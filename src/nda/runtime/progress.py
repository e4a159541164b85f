"""Progress bars on stderr, silent where that is no terminal."""

from __future__ import annotations

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
from nda.runtime.notes import progress_is_shown

T = TypeVar("T")


def tracked(items: Iterable[T], title: str, total: int | None = None) -> Iterable[T]:
    """The items, under a bar; `total` says how many they are where they cannot be counted."""
    return track(
        items,
        title,
        total=total,
        console=console(stderr=True),
        transient=True,
        disable=not progress_is_shown(),
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
    quiet = not progress_is_shown()
    with Progress(*columns, console=console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task(title, total=total, completed=done)
        yield lambda count=1: bar.advance(task, count)


class TrainingBar:
    """Counts steps and shows the rate, where there is a bar."""

    def __init__(self, bar: Progress | None, total: int, done: int, unit: str) -> None:
        self._bar, self._unit = bar, unit
        if bar is not None:
            self._task = bar.add_task("training", total=total, completed=done, rate="")

    def advance(self) -> None:
        if self._bar is not None:
            self._bar.advance(self._task)

    def show_rate(self, units_per_second: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, rate=f"{units_per_second:.0f} {self._unit}/s")


@contextmanager
def training_progress(
    total: int, done: int, *, unit: str, shown: bool = True
) -> Iterator[TrainingBar]:
    """A bar of `total` steps with samples (`unit`) a second, on a terminal and where `shown`."""
    if not (shown and progress_is_shown()):
        yield TrainingBar(None, total, done, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True)) as bar:
        yield TrainingBar(bar, total, done, unit)
