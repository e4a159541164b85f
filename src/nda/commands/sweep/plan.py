"""What a sweep was begun with, kept beside its trials: a sweep that goes on is the same one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nda.commands.sweep.space import Space, words_of
from nda.errors import ConfigError
from nda.runtime.files import write_text_atomically

FREE = ("trials", "out", "metric")  # the search itself knows by which figure it has judged


@dataclass(frozen=True)
class Plan:
    """A search over `space` around the settings `words` of a recipe, in the folder `out`."""

    recipe: str
    words: tuple[str, ...]  # settings that all trials share, as they were typed
    space: Space
    out: Path
    trials: int
    metric: str | None  # a name in metrics.json; the first that judges, if not given
    seed: int
    steps: int
    evaluate_every: int  # steps between the moments at which a trial may be cut short

    def folder(self, number: int) -> Path:
        """The run of a trial."""
        return self.out / f"trial-{number:04d}"

    def words_for(self, number: int, values: dict[str, object]) -> list[str]:
        """What trains a trial, behind `nda train`."""
        given = {**values, "evaluate_every": self.evaluate_every, "out": self.folder(number)}
        return [self.recipe, *self.words, *words_of(given)]


def keep(plan: Plan) -> None:
    """Write the plan into its folder; refuse (`ConfigError`) to go on with another one there.

    More trials than before may be asked for, and another figure while none has judged a trial.
    """
    path = plan.out / "sweep.json"
    content = json.loads(json.dumps(asdict(plan), default=str))
    if path.exists():
        before = _before(path)
        for name in content:
            if name not in FREE and before.get(name) != content[name]:
                raise ConfigError(
                    f"{plan.out} holds a sweep whose {name.replace('_', ' ')} differs: "
                    f"{before.get(name)}, not {content[name]}. Give what it was begun with, or "
                    "another --out."
                )
    write_text_atomically(path, json.dumps(content, indent=1) + "\n")


def _before(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path} is damaged, and says no more what was begun; give another --out."
        )
    return found
