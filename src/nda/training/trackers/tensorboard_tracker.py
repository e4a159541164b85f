"""TensorBoard's event files, in RUN/tensorboard."""

from __future__ import annotations

from lightning_fabric.loggers.logger import Logger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from nda.training.trackers.place import Place


def open_at(place: Place) -> Logger:
    """What was written of later steps, which are trained again, is hidden."""
    return TensorBoardLogger(
        place.folder, name="tensorboard", version="", purge_step=place.last_step + 1
    )
