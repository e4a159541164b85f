"""Numbers, times, settings and protocols as a person reads them."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from nda.evaluation.record import Protocol

_CAPITALS = {"AUROC", "BN", "DPC", "EMA", "FID", "FPR", "GAN", "KID", "IOU", "TPR"}


def number(value: float) -> str:
    """Four significant digits, whole numbers and thousands in full: 0.1234, 12.34, 12,346."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def mean_and_deviation(values: Sequence[float]) -> tuple[str, list[str]]:
    """Mean ± sample standard deviation, and the values; all to the deviation's second digit."""
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    if deviation == 0:
        return f"{number(mean)} ± 0", [number(value) for value in values]
    decimals = min(max(1 - math.floor(math.log10(deviation)), 0), 8)
    single = [f"{value:,.{decimals}f}" for value in values]
    return f"{mean:,.{decimals}f} ± {deviation:,.{decimals}f}", single


def is_numeric(value: object) -> bool:
    """Whether a cell holds a number, or text that begins like one."""
    return isinstance(value, int | float) or re.match(r"[-−+±]?\.?\d", str(value)) is not None


def duration(seconds: float) -> str:
    """The two largest units: 3 h 20 min, 12 min 5 s, 8.4 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def in_words(name: str) -> str:
    """A machine name without underscores, known abbreviations in capitals."""
    words = name.replace("_", " ").split()
    return " ".join(word.upper() if word.upper() in _CAPITALS else word for word in words)


def protocol_pairs(protocol: Protocol) -> list[tuple[str, str]]:
    """What was done to get a figure, as pairs of name and value in words."""
    return [(in_words(name), _plain(name, value)) for name, value in protocol.items()]


def protocol_words(protocol: Protocol) -> str:
    """`protocol_pairs` in one line."""
    return "; ".join(f"{name}: {value}" for name, value in protocol_pairs(protocol))


def setting(value: Any) -> str:
    """A value of config.yaml as one would write it there, None as "not set"."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(setting(item) for item in value)
    return str(value)


def percent(share: float) -> str:
    """A share as a percentage, as short as it is exact: 0.01 as 1 %."""
    return f"{100 * share:.6g} %"


def direction(better: str) -> str:
    """Which way a metric improves, empty where neither is better."""
    return f"{better} is better" if better else ""


def data_name(data: str) -> str:
    """A data set's short name: the last part of its path, without .zip."""
    return PurePath(data).name.removesuffix(".zip") or data


def negative_name(settings: Mapping[str, Any]) -> str:
    """The negative as a noun phrase, or the method of a recipe that learns from none.

    Empty for a recipe that has no such setting.
    """
    if "negative" not in settings:
        return ""
    negative = settings["negative"]
    if (method := settings.get("method", "negatives")) != "negatives":  # it learns from none
        return f"method {in_words(str(method))}"
    if negative in (None, "none"):
        return "no negative"
    if negative == "data":
        source = settings.get("negative_classes") or settings.get("negative_data") or "other data"
        return f"negatives from {data_name(str(source))}"
    return f"negative {in_words(str(negative))}"


def run_title(settings: Mapping[str, Any]) -> str:
    """Recipe, data and negative in words."""
    parts = [in_words(str(settings["recipe"]).replace("-", "_"))]
    if settings.get("data"):
        parts.append(f"on {data_name(str(settings['data']))}")
    title = ", ".join(filter(None, [" ".join(parts), negative_name(settings)]))
    return title[:1].upper() + title[1:]


def _plain(name: str, value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return str(value) if "seed" in name else number(value)
