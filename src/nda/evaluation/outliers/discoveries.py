"""False discoveries over a batch: of what is flagged, the share that is normal."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nda.errors import ConfigError


def discovery_limit(p_values: Sequence[float], rate: float, *, any_dependence: bool) -> float:
    """The largest p-value that is flagged so that, on average, at most `rate` of them are false.

    The procedure of Benjamini and Hochberg (1995). It is valid for conformal p-values of one
    calibration set, which depend on each other positively (Bates et al., 2023, theorem 2). Where
    that is not known, `any_dependence` divides the rate by 1 + 1/2 + ... + 1/m (Benjamini and
    Yekutieli, 2001). Gives 0 where nothing is flagged.

    Raises `ConfigError` for a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise ConfigError(
            f"false_discovery_rate is {rate:g}; it is a share of what is flagged and must lie "
            "between 0 and 1, such as 0.1."
        )
    if not p_values:
        return 0.0
    found = torch.tensor(p_values, dtype=torch.float64).sort().values
    ranks = torch.arange(1, len(found) + 1, dtype=torch.float64)
    allowed = allowed_rate(len(found), rate, any_dependence=any_dependence)
    # A p-value of k / (n + 1) must not miss a limit that is the same number by a rounding.
    passed = found * len(found) <= allowed * ranks * (1 + 1e-9)
    return float(found[passed][-1]) if bool(passed.any()) else 0.0


def exact(p_value: float, known: int) -> float:
    """A p-value k / (n + 1) of `known` calibration scores, without what a table rounded off."""
    return round(p_value * (known + 1)) / (known + 1)


def allowed_rate(count: int, rate: float, *, any_dependence: bool) -> float:
    """The rate, or what stays of it for `count` p-values that may depend on each other anyhow."""
    return rate / sum(1 / k for k in range(1, count + 1)) if any_dependence else rate
