"""Work spread over a Ray cluster by Ray Data, which gives the results in the order of the tasks.

What a process or a machine took with it when it died is done again; where half an hour brings
nothing, Ray Data gives up.
"""

from __future__ import annotations

import pickle
import platform
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from nda.errors import DataError, UserError
from nda.runtime.workers.processes import Make, Work

ROUND = 16_384  # tasks of one execution, all of which are in memory
TOGETHER = 8  # tasks at most that come back together, and
APART = 8  # parts at least that each worker gets, so that all end at about the same time


class Maker:
    """In a process of the cluster: what `make` gives, made at the first task, called with each.

    A user's mistake comes back as a result, by its sentence.
    """

    def __init__(self, make: Make) -> None:
        self.make = make
        self.work: Work | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        found: object
        try:
            if self.work is None:
                self.work = self.make(0)
            found = self.work(pickle.loads(row["task"]))
        except UserError as error:
            found = DataError(f"On {platform.node()}, a machine of the Ray cluster: {error}")
        return {"number": row["number"], "found": pickle.dumps(found)}


def mapped_on_ray(
    ray: Any,
    make: Make,
    tasks: Iterable[Any],
    workers: int,
    gpus: float = 0.0,
) -> Generator[Any, None, None]:
    """What `workers` processes of the cluster give for the tasks, in their order.

    Each has a core and so much of a card, and calls `make(0)`, then the result with every task
    that it gets. Tasks are taken by and by, however many there are. Raises `DataError` for what is
    refused there, and where the cluster cannot go on.
    """
    left = iter(tasks)
    exceptions = ray.data.exceptions
    lost = [
        getattr(exceptions, name, None) for name in ("SystemException", "ExecutionTimeoutError")
    ]
    try:
        while some := list(islice(left, ROUND)):
            yield from _round(ray, make, some, workers, gpus)
    except (ray.exceptions.RayError, *filter(None, lost)) as error:
        raise DataError(_gave_up(error)) from error


def _round(
    ray: Any,
    make: Make,
    tasks: list[Any],
    workers: int,
    gpus: float,
) -> Iterator[Any]:
    together = max(1, min(TOGETHER, len(tasks) // (workers * APART)))
    with _in_order(ray):
        rows = ray.data.from_items(
            [{"number": n, "task": pickle.dumps(task)} for n, task in enumerate(tasks)],
            override_num_blocks=-(-len(tasks) // together),
        ).map(
            Maker,
            fn_constructor_args=(make,),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=gpus,
        )
        for expected, row in enumerate(rows.iter_rows()):
            if row["number"] != expected:
                raise RuntimeError(f"task {row['number']} came where {expected} was expected")
            found = pickle.loads(row["found"])
            if isinstance(found, UserError):
                raise found
            yield found


@contextmanager
def _in_order(ray: Any) -> Iterator[None]:
    """Within, results come in the order of the tasks, and Ray Data draws no bars."""
    context = ray.data.DataContext.get_current()
    before = context.execution_options.preserve_order, context.enable_progress_bars
    context.execution_options.preserve_order, context.enable_progress_bars = True, False
    try:
        yield
    finally:
        context.execution_options.preserve_order, context.enable_progress_bars = before


def _gave_up(error: Exception) -> str:
    said = " ".join(str(error).split())
    if "No module named 'nda" in said:
        return (
            "A machine of the Ray cluster has no nda; install the same version on every one of "
            "them, with its extra: pip install 'nda-torch[ray]'."
        )
    return (
        f"The Ray cluster could not go on ({said[:200].rstrip('. ')}). Look at its machines with "
        "'ray status'; fewer --workers need less memory."
    )
