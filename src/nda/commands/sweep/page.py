"""What a sweep found: a page that compares its best runs below a table of all trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nda.commands.sweep.plan import Plan
from nda.report.pages.compare import Table, write_comparison
from nda.report.words import direction, number
from nda.training.run_folder import RunFolder
from nda.validators import counted

MOST = 8  # runs side by side
STATES = {"COMPLETE": "finished", "PRUNED": "cut short", "FAIL": "failed", "RUNNING": "open"}


def ranked(study: Any) -> list[Any]:
    """Finished trials from the best to the worst, then those cut short by how they stood."""
    known = [t for t in study.get_trials() if t.state.name in ("COMPLETE", "PRUNED") and _has(t)]
    return sorted(known, key=lambda t: (t.state.name != "COMPLETE", _loss(t), t.number))


def verdict(study: Any) -> str:
    """The best trial in a sentence, with what its choice does to its figure."""
    trials, best = study.get_trials(), ranked(study)[:1]
    cut = sum(trial.state.name == "PRUNED" for trial in trials)
    failed = sum(trial.state.name == "FAIL" for trial in trials)
    if not best or best[0].state.name != "COMPLETE":
        return f"None of {counted(len(trials), 'trial')} was finished."
    settings = ", ".join(f"{name} {_cell(value)}" for name, value in best[0].params.items())
    ends = f"{cut} cut short" + (f", {failed} failed" if failed else "")
    return (
        f"Best of {counted(len(trials), 'trial')} ({ends}): {settings}, with "
        f"{study.user_attrs['title']} {number(_value(study, best[0]))} "
        f"({direction(study.user_attrs['better'])}). It was chosen by that figure, which "
        "flatters it: train it again with other seeds before believing it."
    )


def write_page(plan: Plan, study: Any) -> Path | None:
    """Write the page and give its path; None where fewer than two runs can be compared."""
    order = ranked(study)
    runs = [RunFolder.open(plan.folder(trial.number)) for trial in order[:MOST]]
    if len(runs) < 2:
        return None
    title = study.user_attrs["title"]
    others = [trial for trial in study.get_trials() if trial not in order]
    table = Table(
        "Trials, the best first",
        ("trial", "ended", "steps", title, *plan.space),
        [
            (
                plan.folder(trial.number).name,
                STATES[trial.state.name],
                max(trial.intermediate_values, default=0),
                number(_value(study, trial)) if _has(trial) else "–",
                *(_cell(trial.params.get(name, "–")) for name in plan.space),
            )
            for trial in [*order, *others]
        ],
        "Each is one run of one seed. Those cut short stood worse than the median of the earlier "
        f"ones at that step. The {len(runs)} first ones are compared below.",
    )
    return write_comparison(
        runs,
        plan.out / "comparison.html",
        title=f"Sweep of {plan.recipe}: {', '.join(plan.space)}",
        tables=[table],
        verdict=verdict(study),
    )


def _has(trial: Any) -> bool:
    return bool(trial.intermediate_values)


def _loss(trial: Any) -> float:
    return float(trial.intermediate_values[max(trial.intermediate_values)])


def _value(study: Any, trial: Any) -> float:
    """The figure in its own direction."""
    loss = _loss(trial)
    return -loss if study.user_attrs["better"] == "higher" else loss


def _cell(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
