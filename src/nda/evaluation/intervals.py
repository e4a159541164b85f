"""How far a measured share may lie from the true one."""

from __future__ import annotations

import math
from statistics import NormalDist

from nda.errors import ConfigError
from nda.extras import needed


def wilson_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (Wilson, 1927) for a share of which `successes / total` was seen.

    Sound also for shares near 0 and 1, where the plain normal interval is not. With `total` 0
    nothing is known: (0, 1). Raises `ConfigError` for counts or a confidence out of range.
    """
    if not (0 <= successes <= total and 0 < confidence < 1):
        raise ConfigError(
            f"An interval needs 0 <= successes <= total and a confidence between 0 and 1; got "
            f"{successes} of {total} at {confidence}."
        )
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = successes / total, z * z / total
    centre = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    # At the ends the bound is exact; rounding must not put it a hair beyond.
    low = 0.0 if successes == 0 else centre - reach
    high = 1.0 if successes == total else centre + reach
    return low, high


def students_t(freedom: float) -> float:
    """How many standard errors a 95 % interval reaches to either side, with Student's t.

    Raises `ConfigError` where SciPy is not installed.
    """
    with needed("A 95 % interval needs SciPy", "train"):
        from scipy.special import stdtrit  # scipy.stats takes two seconds to import

    return float(stdtrit(freedom, 0.975))
