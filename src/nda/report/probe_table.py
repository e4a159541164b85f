"""The figures of a probe as a table, the same on the terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nda.evaluation.features.structure import NORMAL_95, VIEWS, different
from nda.evaluation.intervals import wilson_interval
from nda.evaluation.record import Metric
from nda.report.words import number

_ABSENT = "–"


@dataclass(frozen=True)
class Row:
    """A negative, or what it is compared with; one that could not be measured says why."""

    name: str
    cells: Sequence[str] = ()
    refused: str = ""


@dataclass(frozen=True)
class ProbeTable:
    """Rows under their header, and how to read them."""

    header: Sequence[str]
    rows: Sequence[Row]
    reading: str


def discriminator_table(
    metrics: Sequence[Metric], negatives: Sequence[str], refused: Mapping[str, str]
) -> ProbeTable:
    """From the metrics of `discriminator_gap`; `refused` maps a negative to the reason."""
    found = {metric.name: metric for metric in metrics}

    def cells(name: str) -> list[str]:
        images = int(found[f"gap_{name}"].protocol["real_images"])
        deviation, share = found[f"gap_std_{name}"].value, found[f"gap_positive_{name}"].value
        # The deviation is that of these images, not the estimate for all: hence the one less.
        reach = NORMAL_95 * deviation / math.sqrt(images - 1)
        return [
            plus_minus(found[f"gap_{name}"].value, reach),
            f"{deviation:.2g}",
            percent(share, wilson_interval(round(share * images), images)),
        ]

    return ProbeTable(
        header=("negative", "gap D(x) - D(negative)", "spread", "gap > 0"),
        rows=_rows(negatives, refused, cells),
        reading=(
            "Where the discriminator does not see what a negative broke, the gap is near 0 and "
            "positive for about 50% of the images. A gap is in units of this discriminator's "
            "output: between models, compare the last column. ± and brackets are 95% intervals "
            "over images; spread is the standard deviation over images."
        ),
    )


def encoder_table(
    metrics: Sequence[Metric],
    negatives: Sequence[str],
    refused: Mapping[str, str],
    *,
    of: str = "image",
) -> ProbeTable:
    """From the metrics of `structure_similarity`; what negatives are compared with is on top.

    `of` is what it was measured of.
    """
    found = {metric.name: metric for metric in metrics}

    def cells(name: str) -> list[str]:
        nearer = found.get(f"nearer_{name}")
        return [
            _with_interval(found.get(f"cosine_{name}")),
            f"{found[f'cosine_std_{name}'].value:.2g}",
            _with_interval(found.get(f"distance_{name}")),
            percent(nearer.value, nearer.interval) if nearer and nearer.interval else _ABSENT,
        ]

    return ProbeTable(
        header=("features of x and", "cosine", "spread", "distance", "nearer"),
        rows=[
            Row("another view", cells(VIEWS)),
            Row(f"another {of}", cells(different(of))),
            *_rows(negatives, refused, cells),
        ],
        reading=(
            f"Another view: of two ordinary views (crop and flip) of one {of}. Distance: 1 - "
            f"cosine, over that of two different {of}s; 0 is the same features, 1 as far as "
            f"another {of}. Nearer: the share of {of}s that are nearer to their negative than "
            "two of their views are to each other; near 100%, the encoder takes the negative for "
            f"the same {of}. ± and brackets are 95% intervals over {of}s; spread is the standard "
            f"deviation over {of}s."
        ),
    )


def plus_minus(value: float, reach: float) -> str:
    """The value ± the reach of its interval, both to the second digit of the latter."""
    if reach <= 0:
        return f"{number(value)} ± 0"
    decimals = min(max(1 - math.floor(math.log10(reach)), 0), 8)
    return f"{value:.{decimals}f} ± {reach:.{decimals}f}"


def percent(share: float, interval: Sequence[float]) -> str:
    """A share and its interval: `52.1% [50, 54]`."""
    low, high = interval
    return f"{100 * share:.1f}% [{100 * low:.0f}, {100 * high:.0f}]"


def _with_interval(metric: Metric | None) -> str:
    if metric is None or metric.interval is None:
        return _ABSENT
    low, high = metric.interval
    return plus_minus(metric.value, (high - low) / 2)


def _rows(
    negatives: Sequence[str], refused: Mapping[str, str], cells: Callable[[str], list[str]]
) -> list[Row]:
    """A row a negative, in the order asked for."""
    return [
        Row(name.replace("_", " "), refused=refused[name])
        if name in refused
        else Row(name.replace("_", " "), cells(name))
        for name in negatives
    ]
