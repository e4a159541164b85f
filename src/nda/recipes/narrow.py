"""What a recipe is trained at where there is no card: a size that two cores finish.

The defaults of the recipes are published ones, at which a processor would take days or months.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Narrow:
    """Settings for processors, and what they take.

    Settings of a part belong together: where one of them is typed, the others are left as well.
    `shown` are those that say most, and `takes` is how long it takes on two cores.
    """

    parts: tuple[dict[str, object], ...]
    shown: tuple[str, ...]
    takes: str
    full: str  # how long the published size would take there

    def beside(self, typed: Collection[str]) -> dict[str, object]:
        """The settings to take beside those that were typed."""
        kept = (part for part in self.parts if not set(part) & set(typed))
        return {name: value for part in kept for name, value in part.items()}


def each(**settings: object) -> tuple[dict[str, object], ...]:
    """Settings that belong to no others: a part each."""
    return tuple({name: value} for name, value in settings.items())


RECORDS = each(log_every=25, sample_every=500, checkpoint_every=250)
