"""The run folder: everything about one training run, readable without the program that wrote it.

run/  config.yaml  log.jsonl  metrics.json  report.html
checkpoints/step-<n>.pt (+ latest)  samples/*.png  tensorboard/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nda.errors import CheckpointError
from nda.files import StrPath, write_text_atomically


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
            loaded = yaml.safe_load(self.config_path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise CheckpointError(
                f"{self.config_path} is not readable YAML: {error}. Restore it or train anew."
            ) from error
        if not isinstance(loaded, dict) or "recipe" not in loaded:
            raise CheckpointError(
                f"{self.config_path} does not name its recipe. Restore it or train anew."
            )
        return loaded

    def log(self) -> list[dict[str, float]]:
        """The rows of log.jsonl; a row that was cut short by a crash is left out."""
        rows = []
        if self.log_path.is_file():
            for line in self.log_path.read_text(encoding="utf-8").splitlines():
                try:
                    rows.append(json.loads(line))
                except json.JSONDecodeError:
                    continue
        return rows

    def evaluations(self) -> list[dict[str, Any]]:
        """What `Evaluation.as_dict` gave at each evaluated step, oldest first."""
        if not self.metrics_path.is_file():
            return []
        loaded: list[dict[str, Any]] = json.loads(self.metrics_path.read_text(encoding="utf-8"))
        return sorted(loaded, key=lambda evaluation: int(evaluation["step"]))

    def save_evaluation(self, evaluation: dict[str, Any]) -> None:
        """Add an evaluation, in place of an earlier one of the same step."""
        kept = [e for e in self.evaluations() if e["step"] != evaluation["step"]]
        text = json.dumps([*kept, evaluation], indent=1, allow_nan=False)
        write_text_atomically(self.metrics_path, text + "\n")
