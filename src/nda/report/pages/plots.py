"""Which figures a page shows of its runs, and what stands under them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nda.evaluation.record import Histogram
from nda.report.contents import RunContents
from nda.report.metrics import metrics_over_steps, protocol_key
from nda.report.plots.curves import (
    MOST_POINTS,
    Curve,
    curve_figure,
    curve_from_log,
    histogram_figure,
)
from nda.report.plots.svg import inline
from nda.report.words import direction, in_words, protocol_words

NOT_CURVES = ("step", "images", "seconds", "peak_memory_mib")
SPEED = "images_per_second"
_ROLES = {
    "loss_d": "discriminator",
    "loss_g": "generator",
    "loss_structure": "structure head",
    "loss_structure_g": "generator, by the structure head",
    "loss_matched": "images and their nulls apart",
    "d_real": "real",
    "d_fake": "generated",
    "d_negative": "negative",
    "d_mixture": "generated and negative mixed",
    "right_negative": "above their negatives",
    "right_fake": "above generated ones",
    "cosine_key": "its key",
    "cosine_negative": "its negative",
}
_TOGETHER = (  # how names begin whose curves share a figure, with its axis and caption
    ("loss", "loss", "Losses"),
    ("d_", "mean D(x)", "Mean output of the discriminator"),
    ("right_", "share of images", "Real images with the higher score"),
    ("cosine_", "cosine with the query", "Queries beside their keys and negatives"),
    ("top", "share of predicted cells", "Predicted cells found"),
    (
        "over_",
        "share of predicted cells",
        "Predicted cells nearer to their target than to all of a kind",
    ),
)
_AXES = {
    "loss_d": "discriminator's loss",
    "loss_g": "generator's loss",
    "loss_structure": "structure head's loss",
    "loss_structure_g": "generator's loss by the structure head",
    "loss_matched": "loss for scoring images and their nulls unlike",
    "zero_centred_penalty": "discriminator's squared slope (R1 and R2)",
    "fake_weight": "generated images' share λ of the mixture",
    "right_negative": "share of images scored above their negatives",
    "right_fake": "share of images scored above generated ones",
    "structure_right": "share of nulls scored above their negatives",
    "d_real": "mean D(real)",
    "d_fake": "mean D(generated)",
    "d_negative": "mean D(negative)",
    "d_mixture": "mean D(mixture)",
}

Labelled = Sequence[tuple[str, RunContents]]  # runs with the labels they have in the legends


@dataclass(frozen=True)
class Drawing:
    """A figure in the page."""

    caption: str
    detail: str  # how it came about: protocol or averaging
    svg: Markup


def log_drawings(run: RunContents) -> list[Drawing]:
    """The curves of one run: those of one kind together, every other scalar by itself."""
    names = _scalars([run])
    drawings = []
    for prefix, axis, caption in _TOGETHER:
        together = [name for name in names if name.startswith(prefix)]
        if together:
            curves = [
                curve_from_log(run.rows, name, _ROLES.get(name, in_words(name)))
                for name in together
            ]
            drawings.append(
                _drawing(caption, _averaging([run], band=True), curve_figure(curves, axis))
            )
    prefixes = tuple(prefix for prefix, _, _ in _TOGETHER)
    alone = [name for name in names if not name.startswith(prefixes)]
    return drawings + [_scalar_drawing([("", run)], name, band=True) for name in alone]


def compared_log_drawings(runs: Labelled) -> list[Drawing]:
    """The curves of several runs: a figure a scalar, in it a line a run."""
    names = _scalars([run for _, run in runs])
    return [_scalar_drawing(runs, name, band=False) for name in names]


def metric_drawings(runs: Labelled) -> list[Drawing]:
    """Each metric over the steps at which it was measured, where a run has more than one.

    The figures of a table are too many to be drawn one by one.
    """
    measured = [(label, metrics_over_steps(run)) for label, run in runs]
    drawings = []
    for key in dict.fromkeys(key for _, metrics in measured for key in metrics):
        found = [(label, metrics[key]) for label, metrics in measured if key in metrics]
        metric = next(iter(found[0][1].values()))
        if metric.table or all(len(by_step) < 2 for _, by_step in found):
            continue
        curves = [
            Curve(label, list(by_step), [metric.value for metric in by_step.values()])
            for label, by_step in found
        ]
        better = f" ({direction(metric.better)})" if metric.better else ""
        labels = [label for label, _ in runs]
        svg = curve_figure(curves, metric.title, labels=labels, markers=True)
        drawings.append(_drawing(metric.title + better, protocol_words(metric.protocol), svg))
    return drawings


def histogram_drawings(runs: Labelled) -> list[Drawing]:
    """The histograms of the latest evaluations; those of one name and protocol in one figure."""
    alike: dict[tuple[str, str, str], list[tuple[str, Histogram]]] = {}
    for label, run in runs:
        if not run.evaluations:
            continue
        latest = run.evaluations[-1]
        title = f"{label}, step {latest.step:,}" if label else ""
        for histogram in latest.histograms:
            key = (histogram.name, histogram.axis, protocol_key(histogram.protocol))
            alike.setdefault(key, []).append((title, histogram))
    drawings = []
    for panels in alike.values():
        histogram = panels[0][1]
        detail = protocol_words(histogram.protocol)
        drawings.append(_drawing(histogram.title, detail, histogram_figure(panels)))
    return drawings


def _scalars(runs: Iterable[RunContents]) -> list[str]:
    """The logged scalars in the order of the log, the speed last."""
    logged = dict.fromkeys(name for run in runs for row in run.rows for name in row)
    names = [name for name in logged if name not in (*NOT_CURVES, SPEED)]
    return [*names, SPEED] if SPEED in logged else names


def _scalar_drawing(runs: Labelled, name: str, *, band: bool) -> Drawing:
    logged = [(label, run) for label, run in runs if any(name in row for row in run.rows)]
    axis = _speed(logged) if name == SPEED else _AXES.get(name, in_words(name))
    svg = curve_figure(
        [curve_from_log(run.rows, name, label, band=band) for label, run in logged],
        axis,
        labels=[label for label, _ in runs],
        from_zero=name == SPEED,
    )
    caption = axis[:1].upper() + axis[1:]
    return _drawing(caption, _averaging([run for _, run in logged], band=band), svg)


def _speed(runs: Labelled) -> str:
    kinds = {run.samples_are for _, run in runs}
    return f"{kinds.pop() if len(kinds) == 1 else 'samples'} per second"


def _averaging(runs: Iterable[RunContents], *, band: bool) -> str:
    if all(len(run.rows) <= MOST_POINTS for run in runs):
        return ""
    return "Points are means of neighbouring log rows" + (", bands their range." if band else ".")


def _drawing(caption: str, detail: str, svg: str) -> Drawing:
    # Safe: Matplotlib escapes every text it writes into the SVG.
    return Drawing(caption, detail, Markup(inline(svg)))
