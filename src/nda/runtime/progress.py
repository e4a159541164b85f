"""Progress bars on stderr, silent where that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from nda.runtime.notes import progress_is_shown

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")


def bar_is_shown() -> bool:
    """Whether somebody looks, and rich is there to draw with; the core does without."""
    return progress_is_shown() and find_spec("rich") is not None


def tracked(items: Iterable[T], title: str, total: int | None = None) -> Iterable[T]:
    """The items, under a bar; `total` says how many they are where they cannot be counted."""
    if not bar_is_shown():
        return items
    from rich.progress import track

    from nda.runtime.console import console

    return track(items, title, total=total, console=console(stderr=True), transient=True)


@contextmanager
def progress(title: str, total: int | None, done: int = 0) -> Iterator[Callable[..., None]]:
    """A bar of `total` steps, `done` of them taken; what is given advances it."""
    if not bar_is_shown():
        yield lambda count=1: None
        return
    with _bar(transient=True) as bar:
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
    if not (shown and bar_is_shown()):
        yield TrainingBar(None, total, done, unit)
        return
    with _bar("{task.fields[rate]}") as bar:
        yield TrainingBar(bar, total, done, unit)


def _bar(*fields: str, transient: bool = False) -> Progress:
    """A bar on stderr, with `fields` between how much is done and how long the rest takes."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from nda.runtime.console import console

    before = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    columns = (*before, *map(TextColumn, fields), Remaining())
    return Progress(*columns, console=console(stderr=True), transient=transient)
