"""Where `nda score` writes, and what may be done to what is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nda.api.places import ready_outputs
from nda.errors import ConfigError
from nda.runtime.locks import is_locked

if TYPE_CHECKING:
    from nda.api.settings import ScoreOptions


@dataclass(frozen=True)
class Place:
    """Where a table goes, if anywhere, and what may be done to what is there."""

    out: Path | None
    overwrite: bool
    resume: bool

    @property
    def part(self) -> Path:
        assert self.out is not None
        return self.out.with_name(f"{self.out.name}.part")

    def goes_on(self) -> bool:
        """Whether there is an unfinished table to go on with; refuses one that is not asked for."""
        if self.out is None or not self.part.exists():
            return False
        if is_locked(self.part):
            self.refuse_two()
        if self.overwrite:
            return False
        if not self.resume:
            raise ConfigError(
                f"{self.part} is left of a scoring that was cut off; give --resume to go on with "
                "it, --overwrite to begin anew, or another --out."
            )
        return True

    def refuse_two(self) -> NoReturn:
        """Refuse (`ConfigError`) to write what another process is writing."""
        raise ConfigError(
            f"{self.out} is being written by another scoring; wait until that has ended, or give "
            "another --out."
        )


def ready_places(options: ScoreOptions) -> Place:
    """Places for all that is written; refuses what would be lost there."""
    place = Place(Path(options.out) if options.out else None, options.overwrite, options.resume)
    if place.goes_on():  # what goes on has been allowed to before
        options = replace(options, overwrite=True)
    ready_outputs(options, "out", "html")
    if options.heatmaps:
        ready_outputs(options, "heatmaps", source=options.images)
    return place
