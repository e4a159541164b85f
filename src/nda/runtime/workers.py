"""Work spread over processes, which ends cleanly by Ctrl-C and by the death of a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from nda.runtime.progress import progress


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


def _begin() -> None:
    """End where the parent does."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
