"""What scores a share of the images in another process, and all that it has to be told."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from nda.api.score.batches import score_batch
from nda.api.score.elsewhere import Opening, Share
from nda.api.score.judge import batches_of
from nda.api.score.limits import Limit
from nda.data.reading.values import Values
from nda.errors import ConfigError
from nda.evaluation.outliers.detector import Detector, load_detector, save_detector
from nda.report.scored import Scored, without_pictures


@dataclass(frozen=True)
class Job:
    """What all shares have in common; the detector is the content of its file."""

    detector: bytes
    limit: Limit
    opening: Opening
    batch_size: int
    painted: bool  # whether heat maps are drawn
    device: str
    threads: int
    folder: str  # that relative paths begin at
    version: str  # of nda


@dataclass(frozen=True)
class Done:
    """A share's rows, without pictures; what was met in its files, and which were not there."""

    rows: Sequence[Scored]
    values: Values
    missing: Sequence[str]
    node: str  # the machine's name


def content_of(detector: Detector) -> bytes:
    """A detector as its file has it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "detector.safetensors")
        save_detector(path, detector)
        return path.read_bytes()


def worker_of(job: Job, number: int) -> Callable[[Share], Done]:
    """The work of process `number`, which opens the detector and an archive once.

    Raises `ConfigError` for another version of nda, `DataError` where there is no such archive.
    """
    here = version("nda-torch")
    if here != job.version:
        raise ConfigError(
            f"nda is of version {here} there and {job.version} here; install the same on all."
        )
    with suppress(OSError):  # absolute paths do without
        os.chdir(job.folder)
    torch.set_num_threads(job.threads)
    detector = _opened(job.detector).to(device_of(job.device, number))
    opened = ExitStack()  # never closed, but with the process
    open_share = job.opening.opener(opened)

    def work(share: Share, _: ExitStack = opened) -> Done:  # which keeps it from being collected
        stream = open_share(share)
        missing = job.opening.missing(share, stream)
        rows = [
            without_pictures(scored, painted=job.painted)
            for batch in batches_of(detector, stream, job.batch_size)
            for scored in score_batch(detector, batch, job.limit, job.batch_size)
        ]
        return Done(rows, stream.values, missing, platform.node())

    return work


def device_of(kind: str, number: int) -> torch.device:
    """The device of process `number`: where no card is named, all cards get processes in turn."""
    if kind != "cuda":
        return torch.device(kind)
    return torch.device("cuda", number % torch.cuda.device_count())


def _opened(content: bytes) -> Detector:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "detector.safetensors")
        path.write_bytes(content)
        return load_detector(path)
