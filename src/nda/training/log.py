"""What a run logs: means over intervals to JSONL and a tracker, and the first loss gone wrong.

Values stay on the device between rows; nothing here waits for a GPU except when a row is written.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import torch
from torch import Tensor

from nda.errors import TrainingError
from nda.runtime.files import write_text_atomically
from nda.training.config import RunConfig
from nda.training.run_folder import RunFolder
from nda.training.trackers.place import TIMES

_PATIENCE = 10.0  # seconds
_PATIENCE_ELSEWHERE = 60.0  # with trackers that may have to send what they hold


class Means:
    """Running means of scalars, and the first step at which one of them was not finite."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.broken: dict[str, Tensor] = {}  # name to the first step that was not finite, or -1
        self.count = 0

    def add(self, step: int, scalars: dict[str, Tensor]) -> None:
        """Take in the scalars of a step; each is a tensor of one element."""
        for name, scalar in scalars.items():
            value = scalar.detach().float()
            if name not in self.sums:
                self.sums[name] = torch.zeros_like(value)
                self.broken[name] = torch.full_like(value, -1.0)
            self.sums[name] += value
            first = (self.broken[name] < 0) & ~value.isfinite()
            self.broken[name] = torch.where(first, float(step), self.broken[name])
        self.count += 1

    def check_finite(self) -> None:
        """Raise `TrainingError` with the step and the name if anything was not finite."""
        broken = {name: int(step.item()) for name, step in self.broken.items() if step.item() >= 0}
        if broken:
            name = min(broken, key=lambda n: broken[n])
            raise TrainingError(
                f"{name} was not finite at step {broken[name]}, so the run stopped there. Resume "
                "from the checkpoint before it with a lower learning rate or full precision."
            )

    def take(self) -> dict[str, float]:
        """The means since the last call; starts anew."""
        self.check_finite()
        means = {name: float(total / self.count) for name, total in self.sums.items()}
        self.sums, self.broken, self.count = {}, {}, 0
        return means

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self.sums, "broken": self.broken, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums, self.broken, self.count = state["sums"], state["broken"], state["count"]

    def to(self, device: torch.device) -> None:
        """Move what was loaded to where the next values come from."""
        self.sums = {name: value.to(device) for name, value in self.sums.items()}
        self.broken = {name: value.to(device) for name, value in self.broken.items()}


class LogWriter:
    """Appends rows to log.jsonl and the tracker `logger`; those after `last_step` are dropped."""

    def __init__(
        self,
        folder: RunFolder,
        *,
        last_step: int,
        logger: str = "tensorboard",
        config: dict[str, Any] | None = None,
    ) -> None:
        # Trackers take a second and more to import: only when a run begins.
        from nda.training.trackers import open_tracker

        self._patience = _PATIENCE if logger == "tensorboard" else _PATIENCE_ELSEWHERE
        kept = [row for row in folder.log() if row["step"] <= last_step]
        write_text_atomically(folder.log_path, "".join(json.dumps(row) + "\n" for row in kept))
        self._file = folder.log_path.open("a", buffering=1, encoding="utf-8")
        self._tracker = open_tracker(
            logger, folder.path, config or {}, last_step=last_step, kept=kept
        )

    @classmethod
    def of(cls, folder: RunFolder, config: RunConfig, *, last_step: int) -> LogWriter:
        """That of a run, which stands at `last_step`."""
        return cls(folder, last_step=last_step, logger=config.logger, config=config.as_dict())

    def write(self, row: dict[str, float]) -> None:
        self._file.write(json.dumps(row, allow_nan=False) + "\n")
        values = {name: value for name, value in row.items() if name not in TIMES}
        self._tracker.log_metrics(values, step=int(row["step"]))

    def close(self) -> None:
        """Close both; the tracker is given some seconds for what it still holds.

        A signal that falls into the queue of TensorBoard's can leave that locked for ever, and
        log.jsonl has all.
        """
        self._file.close()
        closing = threading.Thread(target=self._tracker.finalize, args=("success",), daemon=True)
        closing.start()
        closing.join(self._patience)
