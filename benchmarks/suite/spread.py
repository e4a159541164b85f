"""What is told of times that were taken in turns."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any


def told(seconds: Sequence[float], beside: Sequence[float]) -> dict[str, Any]:
    """Median seconds, and of the ratios to another's turn by turn the median and the quartiles."""
    ratios = [mine / its for mine, its in zip(seconds, beside, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {
        "seconds": statistics.median(seconds),
        "ratio": middle,
        "ratio_quartiles": [low, high],
    }


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Of the logarithms, by least squares: 1 where the time grows as the size does."""
    x, y = [math.log(size) for size in sizes], [math.log(each) for each in seconds]
    return statistics.linear_regression(x, y).slope
