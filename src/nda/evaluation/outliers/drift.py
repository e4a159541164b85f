"""Are images of a stream still like the normal ones? A test martingale over conformal p-values.

Each score is ranked among those of the normal images held out and of the stream so far, ties broken
at random. While the stream is exchangeable with the normal images, which pictures of one part in a
row are not, these ranks are independent and
uniform (Vovk et al., 2005), so no betting on them wins: capital that begins at 1 ever reaches 1 / r
with a chance of at most r (Ville's inequality), however long one watches. The bets are those of the
simple jumper (Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and Gammerman, "Retrain or not retrain:
conformal test martingales for change-point detection", COPA 2021): a third of the capital each on
low, on high and on uniform p-values, of which a little changes sides at every image.

Staked capital dwindles while nothing changes, so that after a long while none would be left to see
a change with. Therefore not all of it is staked at once: some is held back for each image to come,
less and less, as 1 / log2(n + 2) is after n of them.
"""

from __future__ import annotations

import math
import random
from array import array
from bisect import bisect_left, bisect_right

from torch import Tensor

from nda.errors import ConfigError

_BETS = (-1.0, 0.0, 1.0)  # on low p-values, on none, on high ones
_JUMPS = 0.01  # share of the capital that is spread over the bets anew


class DriftWatch:
    """Watches scores one by one, in the order of the images, for a change of what they are of.

    `calibration` `(n,)` are scores of normal images that the detector does not know, held out;
    `rate` is the chance that the alarm is ever raised while nothing changes. `alarm` is then the
    number of the image, from 1, at which it was raised, `highest` the most capital there was.
    8 bytes an image are kept until then.

    Raises `ConfigError` for a rate outside (0, 1).
    """

    def __init__(self, calibration: Tensor, rate: float, *, seed: int = 0) -> None:
        if not 0 < rate < 1:
            raise ConfigError(
                f"drift is {rate:g}; it is the chance of an alarm while nothing changes and must "
                "lie between 0 and 1, such as 0.01."
            )
        self.rate = rate
        self.known = array("d", calibration.double().sort().values.tolist())
        self.capital = [0.0] * len(_BETS)  # staked, beside what is held back
        self.count = 0
        self.highest = 1.0
        self.alarm: int | None = None
        self._random = random.Random(seed)

    def see(self, score: float) -> None:
        """Take the next image's score; after an alarm there is nothing more to learn."""
        if self.alarm is not None:
            return
        self.count += 1
        p_value = self._rank(score)
        released = _held_back(self.count - 1) - _held_back(self.count)
        spread = (_JUMPS * sum(self.capital) + released) / len(_BETS)
        self.capital = [
            ((1 - _JUMPS) * own + spread) * (1 + bet * (p_value - 0.5))
            for own, bet in zip(self.capital, _BETS, strict=True)
        ]
        self.highest = max(self.highest, sum(self.capital) + _held_back(self.count))
        if self.highest >= 1 / self.rate:
            self.alarm = self.count

    def _rank(self, score: float) -> float:
        """The share of all scores so far, this one included, that are higher, ties at random."""
        low, high = bisect_left(self.known, score), bisect_right(self.known, score)
        equal = high - low + 1
        self.known.insert(high, score)
        above = len(self.known) - 1 - high
        return (above + equal * self._random.random()) / len(self.known)


def _held_back(count: int) -> float:
    """The capital that is not staked yet after so many images."""
    return 1 / math.log2(count + 2)
