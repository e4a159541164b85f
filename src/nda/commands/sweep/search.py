"""The search: Optuna proposes, the trials' own figures decide what is cut short.

Every trial's proposal follows from the sweep's seed, the trial's number and what was found before
it, so a sweep that was interrupted goes on exactly as if it had not been. One trial runs at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nda.commands.sweep.child import FailedTrialError
from nda.commands.sweep.plan import Plan
from nda.commands.sweep.space import Choice, Space
from nda.errors import ConfigError, TrainingError
from nda.evaluation.record import Evaluation, Metric
from nda.extras import require
from nda.report.verdicts import headline
from nda.validators import nearest

UNPRUNED = 4  # trials that are finished before any is cut short: there is nothing to compare with

Run = Callable[[Path, list[str], int], Iterator[Evaluation]]  # of a folder, words and steps


def search(plan: Plan, run: Run, say: Callable[[str], None]) -> Any:
    """Run the trials that are left of the plan, and give Optuna's study of all.

    Raises `TrainingError` where the first trial fails, as the others would.
    """
    optuna = require("optuna", "nda sweep needs the package optuna", "sweep")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = _open(optuna, plan)
        _refuse_other_figure(study, plan)
        while (trial := _next(optuna, study, plan)) is not None:
            values = {name: _suggested(trial, name, plan.space) for name in plan.space}
            told = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
            name = plan.folder(trial.number).name
            say(f"{name} ({trial.number + 1} of {plan.trials}): {told}")
            say(f"  {_followed(optuna, study, trial, plan, run, values)}")
    return study


def _open(optuna: Any, plan: Plan) -> Any:
    """The study in the sweep's folder; lower is better, whatever the figure's own direction."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(plan.out / "study.journal")))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED)
    return optuna.create_study(
        storage=storage, study_name="nda", direction="minimize", pruner=pruner, load_if_exists=True
    )


def _refuse_other_figure(study: Any, plan: Plan) -> None:
    """Trials that one figure has judged say nothing of another."""
    judged = study.user_attrs.get("metric")
    if plan.metric and judged and plan.metric != judged:
        raise ConfigError(
            f"{plan.out} holds a sweep that searches by {judged}, not by {plan.metric}. Leave "
            "--metric out, or give another --out."
        )


def _next(optuna: Any, study: Any, plan: Plan) -> Any:
    """The trial that was interrupted, else a new one; None where all are done."""
    trials = study.get_trials(deepcopy=False)
    open_ones = [each for each in trials if each.state == optuna.trial.TrialState.RUNNING]
    number = open_ones[0].number if open_ones else len(trials)
    if number >= plan.trials:
        return None
    study.sampler = optuna.samplers.TPESampler(
        seed=(plan.seed * 1_000_003 + number) % 2**32, multivariate=True
    )
    if open_ones:
        return optuna.trial.Trial(study, open_ones[0]._trial_id)
    return study.ask()


def _suggested(trial: Any, name: str, space: Space) -> Any:
    part = space[name]
    if isinstance(part, Choice):
        return trial.suggest_categorical(name, list(part.values))
    if part.whole:
        return trial.suggest_int(name, int(part.low), int(part.high), log=part.log)
    return trial.suggest_float(name, part.low, part.high, log=part.log)


def _followed(
    optuna: Any, study: Any, trial: Any, plan: Plan, run: Run, values: dict[str, object]
) -> str:
    """Run a trial to its end, or to where it is cut short; tells what came of it."""
    states = optuna.trial.TrialState
    number, found = trial.number, None
    known = study.get_trials(deepcopy=False)[number].intermediate_values
    evaluations = run(plan.folder(number), plan.words_for(number, values), plan.steps)
    try:
        for evaluation in evaluations:
            found = _judging(study, evaluation, plan.metric)
            if evaluation.step not in known:
                trial.report(loss_of(found), evaluation.step)
            if evaluation.step < plan.steps and trial.should_prune():
                study.tell(trial, state=states.PRUNED)
                return f"cut short at step {evaluation.step:,}: {found.title} {found.value:.4g}"
    except FailedTrialError as error:
        study.tell(trial, state=states.FAIL)
        if not any(each.value is not None for each in study.get_trials(deepcopy=False)[:number]):
            raise TrainingError(str(error)) from error
        return str(error)
    finally:
        close = getattr(evaluations, "close", None)
        if close is not None:
            close()
    if found is None:
        study.tell(trial, state=states.FAIL)
        raise TrainingError(
            f"{plan.folder(number)} was not measured, so there is nothing to search by."
        )
    study.tell(trial, loss_of(found))
    return f"{found.title} {found.value:.4g}"


def _judging(study: Any, evaluation: Evaluation, asked: str | None) -> Metric:
    """The figure that trials are judged by; the first trial's choice holds for all."""
    name = asked or study.user_attrs.get("metric")
    if name is None:
        first = headline(evaluation.metrics)
        if first is None:
            raise ConfigError("No figure of these runs judges them; give a --metric.")
        name = first.name
    found = next((metric for metric in evaluation.metrics if metric.name == name), None)
    if found is None or not found.better:
        known = [each.name for each in evaluation.metrics if each.better]
        raise ConfigError(
            f"--metric {name} is no figure by which these runs are judged{nearest(name, known)} "
            f"There are {', '.join(known)}."
        )
    if study.user_attrs.get("metric") != name:
        study.set_user_attr("metric", name)
        study.set_user_attr("title", found.title)
        study.set_user_attr("better", found.better)
    return found


def loss_of(metric: Metric) -> float:
    """The figure so that lower is better."""
    return -metric.value if metric.better == "higher" else metric.value


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
