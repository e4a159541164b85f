"""Weights & Biases, offline in RUN/wandb; `wandb sync RUN/wandb/offline-*` sends it when asked.

Online from the beginning with WANDB_MODE=online in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lightning_fabric.loggers.logger import Logger

from nda.extras import require
from nda.training.trackers.place import PROJECT, Place


class WandbTracker(Logger):
    """A run of wandb, under one id however often it is resumed."""

    def __init__(self, place: Place) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would go to the network
        wandb = require("wandb", "--logger wandb needs the package wandb", "wandb")
        mode = os.environ.get("WANDB_MODE", "offline")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=place.title,
            id=place.own_id("wandb"),
            resume="allow",
            dir=str(place.folder),
            config=place.config,
            mode=mode,
            reinit="finish_previous",
            settings=wandb.Settings(silent=True, console="off", disable_git=True),
        )

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return str(self._run.id)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._run.log(dict(metrics), step=step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the settings were given at the beginning."""

    def finalize(self, status: str) -> None:
        self._run.finish(exit_code=0 if status == "success" else 1)


def open_at(place: Place) -> Logger:
    return WandbTracker(place)
