"""Who scores: this process, several on this machine, or those of a Ray cluster.

All of them get the same batches and give the same rows in the same order, so that whatever depends
on the order, the table first of all, is left to this process.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nda.api.score.batches import score_batch
from nda.api.score.elsewhere import Opening, Share, shares_of
from nda.api.score.judge import batches_of
from nda.api.score.limits import Limit
from nda.api.score.worker import Done, Job, content_of, worker_of
from nda.data.images.stream import Stream
from nda.errors import ConfigError, DataError, DeviceError
from nda.evaluation.outliers.detector import Detector
from nda.report.scored import Scored
from nda.runtime.devices import choose_device, refuse_unknown_device
from nda.runtime.workers.processes import WorkerDiedError, mapped
from nda.runtime.workers.ray_cluster import ray_cluster
from nda.runtime.workers.ray_data import mapped_on_ray

if TYPE_CHECKING:
    from nda.api.settings import ScoreOptions


Rows = Generator[list[Scored], None, None]


@dataclass(frozen=True)
class Spread:
    """The processes that score, `workers` of them, on devices of a `kind`; 0 for this one alone."""

    options: ScoreOptions
    kind: str
    workers: int = 0
    ray: Any = None  # the module, where it is connected to a cluster

    @property
    def here(self) -> torch.device:
        """The device of this process, which scores some images again where a page shows them."""
        if self.ray is None:
            return choose_device(self.options.device)
        there = self.kind == "cuda" and torch.cuda.is_available()
        return torch.device("cuda" if there else "cpu")

    def rows(self, detector: Detector, stream: Stream, limit: Limit, size: int) -> Rows:
        """The rows of each batch of `size` files."""
        if not self.workers:
            return self._rows_here(detector, stream, limit)
        return self._rows_of_others(detector, stream, limit, size)

    def _rows_here(self, detector: Detector, stream: Stream, limit: Limit) -> Rows:
        at_once = self.options.batch_size
        for batch in batches_of(detector, stream, at_once):
            yield list(score_batch(detector, batch, limit, at_once))

    def _rows_of_others(self, detector: Detector, stream: Stream, limit: Limit, size: int) -> Rows:
        job = self._job(detector, limit, Opening.of(stream))
        asked: list[Share] = []  # in their order, those whose rows are still to come

        def shares() -> Iterator[Share]:
            for share in shares_of(stream, size):
                asked.append(share)
                yield share

        with closing(self._mapped(job, shares())) as found:
            for done in found:
                refuse_missing(done, asked.pop(0), job.opening)
                stream.values.join(done.values)
                yield list(done.rows)

    def _mapped(self, job: Job, shares: Iterable[Share]) -> Generator[Done, None, None]:
        make = partial(worker_of, job)
        if self.ray is not None:
            gpus = cards_each(self.ray, self.workers) if self.kind == "cuda" else 0.0
            yield from mapped_on_ray(self.ray, make, shares, self.workers, gpus)
            return
        try:
            yield from mapped(make, shares, self.workers)
        except WorkerDiedError as error:
            raise DataError(f"{error} Fewer --workers than {self.workers} need less.") from error

    def _job(self, detector: Detector, limit: Limit, opening: Opening) -> Job:
        shared = self.ray is None  # then the cores are those that this process has
        return Job(
            detector=content_of(detector),
            limit=limit,
            opening=opening,
            batch_size=self.options.batch_size,
            painted=self.options.heatmaps is not None,
            device=self.kind,
            threads=max(1, torch.get_num_threads() // self.workers) if shared else 1,
            folder=str(Path.cwd()),
            version=version("nda-torch"),
        )


@contextmanager
def spread_over(options: ScoreOptions) -> Iterator[Spread]:
    """What the options ask for; a Ray cluster is connected within.

    Raises `ConfigError` and `DeviceError` for what is not there.
    """
    if options.ray is None:
        kind = str(choose_device(options.device))
        yield Spread(options, kind, options.workers or 0)
        return
    cores = options.workers or cores_here()
    with ray_cluster(options.ray, cores) as ray:
        has = ray.cluster_resources()
        kind = kind_there(options.device, has)
        most = int(has.get("GPU" if kind == "cuda" else "CPU", 0))
        if not has.get("CPU", 0):
            raise ConfigError(
                f"--ray {options.ray}: the cluster has no core to work with; join a machine to it, "
                "or give it cores with 'ray start --num-cpus N'."
            )
        yield Spread(options, kind, options.workers or max(1, most), ray)


def kind_there(asked: str, has: dict[str, float]) -> str:
    """The kind of device on a cluster that `has` such resources; refuses cards where none is."""
    refuse_unknown_device(asked)
    cards = has.get("GPU", 0)
    if asked == "auto":
        return "cuda" if cards else "cpu"
    kind = asked.partition(":")[0]
    if kind == "cuda" and not cards:
        raise DeviceError(
            f"--device {asked} was asked for, and the Ray cluster knows of no GPU; give --device "
            "cpu, or start Ray on the machines that have one."
        )
    return kind


def cards_each(ray: Any, workers: int) -> float:
    """How much of a card each worker has: all of one, or a part where there are more workers."""
    return min(1.0, float(ray.cluster_resources().get("GPU", 0)) / workers)


def cores_here() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def refuse_missing(done: Done, share: Share, opening: Opening) -> None:
    """Refuse (`DataError`) files that are here as they were listed, and not where they were read.

    What is gone here too is a row that says so.
    """
    stamps = dict(zip(share.names, share.stamps, strict=True)) if share.stamps else {}
    for name in done.missing:
        if not opening.loose or opening.is_here(name, stamps.get(name)):
            raise DataError(
                f"{opening.path_of(name)} is here, and on {done.node} it is not, or another file: "
                "every machine of the Ray cluster needs the images at the same path, as on a "
                "shared drive."
            )
