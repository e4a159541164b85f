"""What a tracker is told of its run, and the name under which it finds it again."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nda.runtime.files import write_text_atomically

PROJECT = "nda"  # under which trackers that know projects keep all runs
TIMES = ("step", "seconds")  # of a row: where it stands, and no scalar


@dataclass(frozen=True)
class Place:
    """The run in `folder`, which has logged the rows `kept` and stands at `last_step`."""

    folder: Path
    config: dict[str, Any]
    last_step: int
    kept: list[dict[str, float]]

    @property
    def title(self) -> str:
        return self.folder.resolve().name

    def known_id(self, tracker: str) -> str | None:
        """The id of this run with a tracker, if it has one."""
        found = self._ids().get(tracker)
        return found if isinstance(found, str) else None

    def keep_id(self, tracker: str, identity: str) -> str:
        """Remember the id, so that a run that is resumed goes on under it."""
        text = json.dumps(self._ids() | {tracker: identity}, indent=1)
        write_text_atomically(self._path, text + "\n")
        return identity

    def own_id(self, tracker: str) -> str:
        """The id of this run with a tracker that takes any; drawn once."""
        return self.known_id(tracker) or self.keep_id(tracker, secrets.token_hex(6))

    @property
    def _path(self) -> Path:
        return self.folder / "trackers.json"

    def _ids(self) -> dict[str, Any]:
        try:
            loaded = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}
