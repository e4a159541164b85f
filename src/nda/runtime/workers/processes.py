"""Work spread over processes, which ends cleanly by Ctrl-C and by the death of a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any

from nda.runtime.progress import progress

WAITING = 3  # tasks a worker, so that none is idle while an earlier task takes longer

Work = Callable[[Any], Any]
Make = Callable[[int], Work]


class WorkerDiedError(RuntimeError):
    """A process was killed from outside, most often for want of memory."""


def in_processes(
    work: Callable[..., object],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    title: str,
    *,
    done: int = 0,
) -> None:
    """Call `work(*task)` for every task, in this process where there is one worker.

    Shows a bar on a terminal, which counts from `done`. By Ctrl-C or an error the tasks under way
    are finished and the others left. Raises `WorkerDiedError` where a process was killed.
    """
    with progress(title, done + len(tasks), done) as advance:
        if workers == 1 or len(tasks) < 2:
            for task in tasks:
                work(*task)
                advance()
            return
        # Spawned, not forked: a fork copies locks that threads of this process may hold.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _begin)
        try:
            with _interrupts_held():  # processes, which start now, inherit it
                futures = [pool.submit(work, *task) for task in tasks]
            for finished in as_completed(futures):
                finished.result()
                advance()
        except BrokenProcessPool as error:
            raise WorkerDiedError(
                "A worker process was killed, perhaps for want of memory."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def mapped(make: Make, tasks: Iterable[Any], workers: int) -> Generator[Any, None, None]:
    """What each of `workers` processes gives for the tasks, in their order.

    A process calls `make` with its number, from 0, and the result with every task that it gets.
    Tasks are taken as they are needed, however many there are. Raises what `make` or a task
    raises, and `WorkerDiedError` where a process was killed.
    """
    context = multiprocessing.get_context("spawn")  # as above
    pool = ProcessPoolExecutor(workers, context, _begin_to_make, (make, context.Value("i", 0)))
    waiting: deque[Future[Any]] = deque()
    left = iter(tasks)
    try:
        for task in islice(left, workers * WAITING):
            with _interrupts_held():
                waiting.append(pool.submit(_do, task))
        while waiting:
            yield waiting.popleft().result()
            for task in islice(left, 1):
                with _interrupts_held():
                    waiting.append(pool.submit(_do, task))
    except BrokenProcessPool as error:
        raise WorkerDiedError("A worker process was killed, perhaps for want of memory.") from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the end; a process begun within never hears of it.

    A terminal sends it to all processes alike, and libraries catch it where Python would not.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Process:
    """What a process of `mapped` makes, its number among them, and what it has made."""

    make: Make
    number: int
    work: Work | None = None


def _begin_to_make(make: Make, begun: Any) -> None:
    """Remember what to make: an error here would not come out."""
    _begin()
    with begun.get_lock():
        _Process.make, _Process.number = make, begun.value
        begun.value += 1


def _do(task: Any) -> Any:
    if _Process.work is None:
        _Process.work = _Process.make(_Process.number)
    return _Process.work(task)


def _begin() -> None:
    """End where the parent does."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
