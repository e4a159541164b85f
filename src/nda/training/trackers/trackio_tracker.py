"""Trackio, in its own folder on this machine (TRACKIO_DIR); `trackio show --project nda` shows it.

On a Space of Hugging Face with TRACKIO_SPACE_ID in the environment.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any

from lightning_fabric.loggers.logger import Logger

from nda.extras import require
from nda.training.trackers.place import PROJECT, Place


class TrackioTracker(Logger):
    """A run of Trackio, whose name has an id that it keeps."""

    def __init__(self, place: Place) -> None:
        trackio = require("trackio", "--logger trackio needs the package trackio", "trackio")
        self._name = f"{place.title}-{place.own_id('trackio')}"
        with contextlib.redirect_stdout(io.StringIO()):  # it greets at length
            self._run = trackio.init(
                project=PROJECT,
                name=self._name,
                resume="allow",
                config=place.config,
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    @property
    def name(self) -> str:
        return "trackio"

    @property
    def version(self) -> str:
        return self._name

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._run.log(dict(metrics), step=step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the settings were given at the beginning."""

    def finalize(self, status: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self._run.finish()


def open_at(place: Place) -> Logger:
    return TrackioTracker(place)
