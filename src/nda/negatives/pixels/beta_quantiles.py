"""Quantiles of the symmetric Beta law, without SciPy, which the core does not install.

In t = logit(x) the density of Beta(alpha, alpha) is 1 / cosh(t / 2) ** (2 alpha) up to a factor:
smooth, even, and with tails that fall like exp(-alpha |t|). So Simpson's rule finds its integral to
nearly all digits, and its symmetry gives the factor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CELLS = 1 << 12
_LEAST, _MOST = 1e-30, 1e30  # of alpha: beyond, all quantiles are 0 and 1, or one half
_DEPTH = 60.0  # where the density is exp(-60) of its height, what is below does not count


def beta_quantiles(alpha: float, probabilities: Array) -> Array:
    """Where the distribution function of Beta(alpha, alpha) is `probabilities` (N,), in (0, 1)."""
    alpha = min(max(alpha, _LEAST), _MOST)
    lower = np.minimum(probabilities, 1 - probabilities)
    # s = |t| / 2 = sinh(v): even steps in v are fine where the density turns, and far out wide.
    edges = np.linspace(np.arcsinh(_farthest(alpha)), 0, _CELLS + 1)
    below = np.concatenate([[0.0], np.cumsum(_mass(edges[:-1], edges[1:], alpha))])
    wanted = lower * 2 * below[-1]  # half of all lies below the middle
    cell = np.clip(np.searchsorted(below, wanted) - 1, 0, _CELLS - 1)
    start = edges[cell]
    missing = wanted - below[cell]
    v = start - missing / _density(start, alpha)
    for _ in range(3):  # Newton's steps, within a cell
        v = np.clip(v, edges[cell + 1], start)
        v = v - (missing - _mass(start, v, alpha)) / _density(v, alpha)
    x = 1 / (1 + 1 / np.maximum(np.exp(-2 * np.sinh(v)), np.finfo(float).tiny))
    return np.where(probabilities > 0.5, 1 - x, x)


def _density(v: Array, alpha: float) -> Array:
    s = np.sinh(v)
    near = np.log1p(2 * np.sinh(np.minimum(s, 1) / 2) ** 2)  # the other loses digits
    log_cosh = np.where(s < 1, near, s + np.log1p(np.exp(-2 * s)) - np.log(2))
    return np.exp(-2 * alpha * log_cosh) * np.cosh(v)


def _mass(start: Array, end: Array, alpha: float) -> Array:
    """Of the density between `start` and `end` <= `start`, by Simpson's rule."""
    middle = _density((start + end) / 2, alpha)
    return (start - end) / 6 * (_density(start, alpha) + 4 * middle + _density(end, alpha))


def _farthest(alpha: float) -> float:
    """The s at which 2 alpha log cosh(s) is the depth."""
    depth = _DEPTH / (2 * alpha)
    return float(depth + np.log1p(np.sqrt(-np.expm1(-2 * depth))))
