"""What a scoring gives to Python."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nda.api.score.limits import Limit
from nda.errors import ConfigError


@dataclass(frozen=True, repr=False)
class Scores:
    """Of N images or videos, in their order, on the CPU.

    `names` are those of the files, or 0, 1, 2, ... of images at hand; `scores` (N,) are float64,
    high where an image is anomalous, NaN where it could not be scored; `p_values` (N,) say how rare
    so high a score is among normal images, 0 to 1; `flags` bool (N,) are true where that is at most
    the `false_alarm_rate`, or where the threshold or the rate of false discoveries that was asked
    for says so; `reasons` say why a file could not be scored, "" where it could. `maps`
    float32 (N, h, w) are values place by place, where the scoring has them; `notes` are
    sentences that a reader should know; `by` says what images were flagged by. Of large images
    scored in tiles `places` int64 (N, 2) are x and y of the highest score in pixels, -1 where there
    is none.
    """

    names: tuple[str, ...]
    scores: Tensor
    p_values: Tensor
    flags: Tensor
    reasons: tuple[str, ...]
    false_alarm_rate: float
    maps: Tensor | None = None
    notes: tuple[str, ...] = ()
    by: str = ""
    places: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        broken, rate = sum(map(bool, self.reasons)), self.false_alarm_rate
        return (
            f"Scores({len(self)} scored {self.by or Limit(rate, rate).words}: "
            f"{int(self.flags.sum())} flagged, {broken} could not be scored)"
        )

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with columns name, score, p_value, flag and reason, x and y.

        The last two where there are `places`.

        Raises `ConfigError` where pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")  # whose types nobody needs here
        except ImportError as error:
            raise ConfigError(
                "to_pandas needs the package pandas; install it: pip install pandas."
            ) from error
        columns = {
            "name": self.names,
            "score": self.scores.numpy(),
            "p_value": self.p_values.numpy(),
            "flag": self.flags.numpy(),
            "reason": self.reasons,
        }
        if self.places is not None:
            columns |= {"x": self.places[:, 0].numpy(), "y": self.places[:, 1].numpy()}
        return pandas.DataFrame(columns)


class Rows:
    """Results as they come, to be made `Scores` of."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float, str]] = []
        self.places: list[tuple[int, int]] = []

    def add(
        self,
        name: str,
        score: float | None,
        p_value: float | None,
        reason: str,
        place: tuple[int, int] | None = None,
    ) -> None:
        nan = float("nan")
        self.places.append(place or (-1, -1))
        self.rows.append(
            (name, nan if score is None else score, nan if p_value is None else p_value, reason)
        )

    def scores(
        self, rate: float, maps: Tensor | None, notes: Sequence[str], limit: Limit | None = None
    ) -> Scores:
        """All of them, flagged by the limit, or by the rate where there is none."""
        names, scores, p_values, reasons = zip(*self.rows, strict=True)
        rarity = torch.tensor(p_values, dtype=torch.float64)
        outlying = torch.tensor(scores, dtype=torch.float64)
        limit = limit or Limit(rate, rate)
        found = torch.tensor(self.places)
        return Scores(
            names=names,
            scores=outlying,
            p_values=rarity,
            flags=limit.flagged(outlying, rarity),
            reasons=reasons,
            false_alarm_rate=limit.rate,
            maps=maps,
            notes=tuple(notes),
            by=limit.words,
            places=found if bool((found >= 0).any()) else None,
        )
