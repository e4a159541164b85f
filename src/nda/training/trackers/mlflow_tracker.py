"""MLflow, in the files of RUN/mlruns; elsewhere with MLFLOW_TRACKING_URI in the environment.

`MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri RUN/mlruns` shows it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lightning_fabric.loggers.logger import Logger

from nda.extras import require
from nda.training.trackers.place import PROJECT, Place

LONGEST = 500  # letters of a setting's value


class MlflowTracker(Logger):
    """A run of MLflow, the same one however often it is resumed."""

    def __init__(self, place: Place) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would go to the network
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        tracking = require("mlflow.tracking", "--logger mlflow needs the package mlflow", "mlflow")
        uri = os.environ.get("MLFLOW_TRACKING_URI", (place.folder.resolve() / "mlruns").as_uri())
        self._client = tracking.MlflowClient(tracking_uri=uri)
        self._id = place.known_id("mlflow") or place.keep_id("mlflow", self._begin(place))
        self._client.update_run(self._id, status="RUNNING")

    def _begin(self, place: Place) -> str:
        known = self._client.get_experiment_by_name(PROJECT)
        experiment = known.experiment_id if known else self._client.create_experiment(PROJECT)
        run = self._client.create_run(experiment, run_name=place.title)
        for name, value in place.config.items():
            self._client.log_param(run.info.run_id, name, str(value)[:LONGEST])
        return str(run.info.run_id)

    @property
    def name(self) -> str:
        return "mlflow"

    @property
    def version(self) -> str:
        return self._id

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._id, name, value, step=step)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the settings were given at the beginning."""

    def finalize(self, status: str) -> None:
        self._client.set_terminated(self._id, "FINISHED" if status == "success" else "KILLED")


def open_at(place: Place) -> Logger:
    return MlflowTracker(place)
