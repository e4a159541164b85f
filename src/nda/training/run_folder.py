"""The run folder: everything about one training run, readable without the program that wrote it.

run/  config.yaml  log.jsonl  metrics.json  report.html
checkpoints/step-<n>.pt (+ latest)  samples/*.png  tensorboard/ or another tracker's
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nda.errors import CheckpointError
from nda.evaluation.record import Evaluation
from nda.runtime.files import StrPath, write_text_atomically
from nda.runtime.notes import tell
from nda.runtime.plain_types import is_number, wrong_type
from nda.runtime.settings_file import FOREIGN, read_settings


@dataclass(frozen=True)
class RunFolder:
    """Paths and contents of a run. Reading never changes it."""

    path: Path

    @classmethod
    def open(cls, path: StrPath) -> RunFolder:
        """The run at `path`; refuses a folder that is not one (`CheckpointError`)."""
        folder = cls(Path(path))
        if not folder.config_path.is_file():
            raise CheckpointError(
                f"{path} is not a run folder: it has no config.yaml. "
                "Give the folder that 'nda train ... --out RUN' wrote."
            )
        return folder

    @property
    def config_path(self) -> Path:
        return self.path / "config.yaml"

    @property
    def log_path(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.json"

    @property
    def detector_path(self) -> Path:
        """What `nda score` reads: network and calibration of an anomaly run."""
        return self.path / "detector.safetensors"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    def config(self) -> dict[str, Any]:
        """The settings of the run; `recipe` names the recipe."""
        try:
            loaded = read_settings(self.config_path)
        except FOREIGN as error:
            why = " ".join(str(error).split())[:200].rstrip(".")
            raise CheckpointError(
                f"{self.config_path} is not readable YAML: {why}. Restore it or train anew."
            ) from error
        if not isinstance(loaded, dict) or not isinstance(loaded.get("recipe"), str):
            raise CheckpointError(
                f"{self.config_path} does not name its recipe. Restore it or train anew."
            )
        if not all(isinstance(name, str) for name in loaded):
            raise CheckpointError(
                f"{self.config_path} does not hold lines of 'name: value'. Restore it."
            )
        return loaded

    def log(self) -> list[dict[str, float]]:
        """The rows of log.jsonl; one that was cut short by a crash, or is damaged, is left out."""
        if not self.log_path.is_file():
            return []
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").split("\n")
        return [row for line in lines if (row := _row(line)) is not None]

    def evaluations(self) -> list[dict[str, Any]]:
        """What `Evaluation.as_dict` gave at each evaluated step, oldest first.

        A damaged file is as good as none, so that it stops no run; that is said on stderr.
        """
        try:
            return self._evaluations()
        except _DAMAGE as error:
            tell(
                f"{self.metrics_path} is damaged ({error}), so its figures are left out; "
                f"'nda evaluate {self.path}' measures anew.",
                once=True,
            )
            return []

    def save_evaluation(self, evaluation: dict[str, Any]) -> None:
        """Add an evaluation, in place of an earlier one of the same step.

        A damaged file is kept beside the new one, as metrics.json.damaged.
        """
        try:
            before = self._evaluations()
        except _DAMAGE:
            before = []
            self.metrics_path.replace(self.metrics_path.with_suffix(".json.damaged"))
        kept = [e for e in before if e["step"] != evaluation["step"]]
        text = json.dumps([*kept, evaluation], indent=1, allow_nan=False)
        write_text_atomically(self.metrics_path, text + "\n")

    def _evaluations(self) -> list[dict[str, Any]]:
        if not self.metrics_path.is_file():
            return []
        loaded: list[dict[str, Any]] = json.loads(self.metrics_path.read_text(encoding="utf-8"))
        if not isinstance(loaded, list):
            raise TypeError("it is no list of evaluations")
        for each in loaded:
            _check(Evaluation.from_dict(each))
            if type(each["step"]) is not int:
                raise TypeError(f"{each['step']!r} is no step")
        return sorted(loaded, key=lambda evaluation: int(evaluation["step"]))


_CHECKED_BY_THEMSELVES: dict[str, Any] = {"metrics": [], "histograms": []}
_DAMAGE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def _row(line: str) -> dict[str, float] | None:
    """A row of the log: numbers by name, among them the step; None for anything else."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("step")) is not int or row["step"] < 0:
        return None
    if any(type(value) not in (int, float) for value in row.values()):
        return None
    numbers = {name: value for name, value in row.items() if is_number(value)}
    return numbers if "step" in numbers else None


def _check(evaluation: Evaluation) -> None:
    """Refuse figures that are no numbers and texts that are none (`TypeError`)."""
    parts = (evaluation, *evaluation.metrics, *evaluation.histograms)
    for part in parts:
        if wrong := wrong_type(vars(part) | _CHECKED_BY_THEMSELVES, type(part)):
            raise TypeError(f"{getattr(part, 'name', 'a figure')}: {wrong}")
    if evaluation.step < 0:
        raise ValueError(f"it is of step {evaluation.step}")
    for metric in evaluation.metrics:
        if metric.interval is not None and len(metric.interval) != 2:
            raise ValueError(f"{metric.name} has an interval of {len(metric.interval)} ends")
    for histogram in evaluation.histograms:
        bins = len(histogram.edges) - 1
        if bins < 1 or any(len(counts) != bins for counts in histogram.series.values()):
            raise ValueError(f"{histogram.name} has not as many counts as bins")
