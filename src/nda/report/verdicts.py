"""The sentence that a page opens with: what its figures say, and what they cannot say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from nda.evaluation.intervals import students_t
from nda.evaluation.outliers.faults import TABLE as FAULTS
from nda.evaluation.record import Evaluation, Metric
from nda.report.groups import Group
from nda.report.metrics import common_step, metrics_over_steps, protocol_key
from nda.report.tables import in_cell
from nda.report.words import direction, mean_and_deviation, number

GUESSING = 0.5  # the AUROC of a score that knows nothing
NOTHING_LEARNED = "It has learned nothing that this test can see."


def headline(metrics: Sequence[Metric]) -> Metric | None:
    """The figure that a run is judged by: of faults where there were some, else the first one.

    Figures of which neither end is better judge nothing.
    """
    judging = [metric for metric in metrics if metric.better]
    of_faults = [metric for metric in judging if metric.table == FAULTS]
    return next(iter(of_faults or judging), None)


def run_verdict(evaluation: Evaluation | None) -> str:
    """What an evaluation says of its run."""
    if evaluation is None:
        return "This run has not been evaluated."
    metric = headline(evaluation.metrics)
    return "No figure judges this run." if metric is None else metric_verdict(metric)


def metric_verdict(metric: Metric) -> str:
    """A figure in a sentence; of an AUROC also whether it is more than guessing."""
    said = f"{metric.title}: {in_cell(metric)}"
    if metric.kind.get("figure") != "auroc" or metric.interval is None:
        return f"{said}, {direction(metric.better)}."
    low, high = metric.interval
    if holds_guessing(low, high):
        return f"{NOTHING_LEARNED} {said}, an interval that holds {GUESSING:g}, which is guessing."
    return (
        f"{said}; guessing would be {GUESSING:g}{'' if low > GUESSING else ', and this is worse'}."
    )


def holds_guessing(low: float, high: float) -> bool:
    """Whether an AUROC of this interval may be that of a score that knows nothing."""
    return low <= GUESSING <= high


def comparison_verdict(groups: Sequence[Group]) -> str:
    """Which group's headline figure is best, and whether noise alone might have made it so."""
    found = _values(groups)
    if found is None:
        return "These runs have no figure in common that judges them."
    metric, values = found
    best_first = sorted(
        values, key=lambda label: statistics.mean(values[label]), reverse=metric.better == "higher"
    )
    each = ", ".join(f"{label} {_mean(values[label])}" for label in best_first)
    said = f"{metric.title} ({direction(metric.better)}): {each}."
    best, second = (values[label] for label in best_first[:2])
    if min(len(best), len(second)) < 2:
        return (
            f"{said} How much of this is noise is not known: that takes two seeds or more of each."
        )
    low, high = welch_interval(best, second)
    noise = low <= 0 <= high
    return (
        f"{said} {best_first[0]} differs from {best_first[1]} by "
        f"{number(statistics.mean(best) - statistics.mean(second))} (95 %: {number(low)} to "
        f"{number(high)}), {'which noise alone may have made' if noise else 'more than noise'}."
    )


def welch_interval(some: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """Welch's 95 % interval of the difference of two means, of two or more values each."""
    parts = [statistics.variance(values) / len(values) for values in (some, others)]
    difference, error = statistics.mean(some) - statistics.mean(others), math.sqrt(sum(parts))
    if error == 0:
        return difference, difference
    below = sum(p**2 / (len(v) - 1) for p, v in zip(parts, (some, others), strict=True))
    reach = students_t(sum(parts) ** 2 / below) * error
    return difference - reach, difference + reach


def _values(groups: Sequence[Group]) -> tuple[Metric, dict[str, list[float]]] | None:
    """A headline figure that every group has under one protocol at one step, and its values."""
    runs = [(group.label, run) for group in groups for run in group.runs]
    measured = [(label, metrics_over_steps(run)) for label, run in runs]
    for _, run in runs:
        metric = headline(run.evaluations[-1].metrics) if run.evaluations else None
        if metric is None:
            continue
        key = (metric.name, protocol_key(metric.protocol))
        known = [(label, found[key]) for label, found in measured if key in found]
        step = common_step([steps for _, steps in known])
        if step is None or {label for label, _ in known} != {group.label for group in groups}:
            continue
        values: dict[str, list[float]] = {}
        for label, steps in known:
            values.setdefault(label, []).append(steps[step].value)
        return (metric, values) if len(values) > 1 else None
    return None


def _mean(values: Sequence[float]) -> str:
    return number(values[0]) if len(values) == 1 else mean_and_deviation(values)[0]
