"""A table, RUN/csv/metrics.csv: a column a scalar."""

from __future__ import annotations

import shutil

from lightning_fabric.loggers.csv_logs import CSVLogger
from lightning_fabric.loggers.logger import Logger
from torch import Tensor

from nda.training.trackers.place import TIMES, Place


def open_at(place: Place) -> Logger:
    """Fabric's logger begins its table anew, so the rows that were kept go in first."""
    shutil.rmtree(place.folder / "csv", ignore_errors=True)
    logger = CSVLogger(place.folder, name="csv", version="", flush_logs_every_n_steps=1)
    for row in place.kept:
        values: dict[str, float | Tensor] = {
            name: value for name, value in row.items() if name not in TIMES
        }
        logger.log_metrics(values, step=int(row["step"]))
    return logger
