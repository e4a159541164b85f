"""Where the rows of a log also go: loggers of Lightning Fabric, one a file.

log.jsonl is the truth; a tracker is a window on it, for people who have theirs open anyway. None
reaches for the network unless the surroundings tell it to: its file says how.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.logger import Logger

from nda.extras import require
from nda.training.trackers.place import Place

# The package that each needs, which is also the name of its extra; none for the first two.
PACKAGES = {"tensorboard": "", "csv": "", "wandb": "wandb", "mlflow": "mlflow",
            "trackio": "trackio"}  # fmt: skip


def require_tracker(name: str) -> None:
    """Refuse (`ConfigError`) a tracker whose package is not installed."""
    if package := PACKAGES[name]:
        require(package, f"--logger {name} needs the package {package}", package)


def open_tracker(
    name: str,
    folder: Path,
    config: dict[str, Any],
    *,
    last_step: int,
    kept: list[dict[str, float]],
) -> Logger:
    """The tracker `name` of the run in `folder`, which goes on where there was one.

    `kept` are the rows that are logged already, the last of them at `last_step` or before.
    """
    require_tracker(name)
    module = importlib.import_module(f"nda.training.trackers.{name}_tracker")
    opened: Logger = module.open_at(Place(folder, config, last_step, kept))
    return opened
