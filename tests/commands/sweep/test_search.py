"""The search on invented runs: proposals, cuts, and that an interruption changes nothing."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nda.commands.sweep.child import FailedTrialError
from nda.commands.sweep.page import ranked, verdict, write_page
from nda.commands.sweep.plan import Plan, keep
from nda.commands.sweep.search import search
from nda.commands.sweep.space import Choice, Range, Space
from nda.errors import ConfigError, TrainingError
from nda.evaluation.record import Evaluation, Metric
from tests.support.invented_runs import evaluated_run

pytest.importorskip("optuna")
STEPS, MOMENTS = 40, (10, 20, 30, 40)


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here outlives a crash of the machine, and a busy disk takes minutes to promise it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    space: Space = {"lr": Range(1e-5, 1e-1, True, False), "negative": Choice(("none", "jigsaw"))}
    words = ("--steps", "40")
    return Plan("gan", words, space, tmp_path / "sweep", 14, None, 0, STEPS, 10)


class Runs:
    """Invented runs: the best learning rate is 1e-3, and jigsaw is worth 0.5."""

    def __init__(self, *, better: str = "lower", stop_after: int | None = None) -> None:
        self.better, self.stop_after = better, stop_after
        self.evaluated: list[tuple[str, int]] = []
        self.failing: set[str] = set()

    def __call__(self, folder: Path, words: list[str], steps: int) -> Iterator[Evaluation]:
        assert steps == STEPS
        if folder.name in self.failing:
            raise FailedTrialError(f"The run {folder} failed.")
        given = dict(word[2:].split("=") for word in words if "=" in word)
        assert given["out"] == str(folder)
        distance = abs(len(given["negative"]) - 6) / 4 + abs(float(given["lr"]) - 1e-3) * 100
        for step in MOMENTS:
            if self.stop_after == len(self.evaluated):
                raise KeyboardInterrupt
            self.evaluated.append((folder.name, step))
            value = distance + 1 / step
            value = value if self.better == "lower" else -value
            yield self.told(folder, step, value)

    def told(self, folder: Path, step: int, value: float) -> Evaluation:
        spread = Metric("spread", "Spread", 1.0, "", {})
        metric = Metric("distance", "Distance", value, self.better, {"split": "test"})
        found = Evaluation(step, [spread, metric])
        if not (folder / "config.yaml").exists():
            evaluated_run(folder, found)
        return found


def told_of(study: Any) -> list[tuple[object, ...]]:
    return [
        (trial.state.name, trial.params, trial.intermediate_values, trial.value)
        for trial in study.get_trials()
    ]


def nothing(_: str) -> None: ...


def started(plan: Plan) -> Plan:
    plan.out.mkdir(parents=True, exist_ok=True)
    keep(plan)
    return plan


def test_poor_trials_are_cut_short_and_the_best_one_is_found(plan: Plan) -> None:
    runs = Runs()
    study = search(started(plan), runs, nothing)
    states = [trial.state.name for trial in study.get_trials()]
    assert len(states) == 14
    assert states[:4] == ["COMPLETE"] * 4  # there is nothing to compare them with
    assert "PRUNED" in states
    for trial in study.get_trials():
        seen = [step for name, step in runs.evaluated if name == f"trial-{trial.number:04d}"]
        assert seen == sorted(trial.intermediate_values)
        assert (len(seen) == len(MOMENTS)) == (trial.state.name == "COMPLETE")
    best = ranked(study)[0]
    finished = [trial.value for trial in study.get_trials() if trial.state.name == "COMPLETE"]
    assert best.value == min(finished)
    assert best.params["negative"] == "jigsaw"


def test_higher_figures_are_searched_for_where_they_are_better(plan: Plan) -> None:
    low = search(started(plan), Runs(), nothing)
    other = dataclasses.replace(plan, out=plan.out.with_name("other"))
    high = search(started(other), Runs(better="higher"), nothing)
    assert [trial.params for trial in low.get_trials()] == [t.params for t in high.get_trials()]
    assert "higher is better" in verdict(high)
    assert "with Distance -0." in verdict(high)


@pytest.mark.parametrize("stop_after", [1, 5, 23])
def test_a_sweep_that_was_interrupted_goes_on_as_if_it_had_not_been(
    plan: Plan, stop_after: int
) -> None:
    whole = search(started(plan), Runs(), nothing)
    cut = started(dataclasses.replace(plan, out=plan.out.with_name("cut")))
    with pytest.raises(KeyboardInterrupt):
        search(cut, Runs(stop_after=stop_after), nothing)
    again = search(cut, Runs(), nothing)
    assert told_of(again) == told_of(whole)


def test_more_trials_go_on_where_it_ended(plan: Plan) -> None:
    whole = search(started(plan), Runs(), nothing)
    short = dataclasses.replace(plan, out=plan.out.with_name("short"), trials=6)
    search(started(short), Runs(), nothing)
    again = search(started(dataclasses.replace(short, trials=14)), Runs(), nothing)
    assert told_of(again) == told_of(whole)


def test_a_trial_that_fails_is_told_and_the_first_one_ends_the_sweep(plan: Plan) -> None:
    runs = Runs()
    runs.failing = {"trial-0002"}
    said: list[str] = []
    study = search(started(plan), runs, said.append)
    assert [trial.state.name for trial in study.get_trials()].count("FAIL") == 1
    assert any("trial-0002 failed" in line for line in said)
    assert "1 failed" in verdict(study)
    other = started(dataclasses.replace(plan, out=plan.out.with_name("other")))
    runs.failing = {"trial-0000"}
    with pytest.raises(TrainingError, match="trial-0000 failed"):
        search(other, runs, nothing)


def test_a_figure_that_judges_nothing_is_refused(plan: Plan) -> None:
    for name in ("spread", "nothing"):
        asked = dataclasses.replace(plan, metric=name, out=plan.out.with_name(name))
        with pytest.raises(ConfigError, match=f"--metric {name} is no figure.*There are distance"):
            search(started(asked), Runs(), nothing)


def test_the_page_has_all_trials_and_says_what_choosing_does(plan: Plan) -> None:
    study = search(started(plan), Runs(), nothing)
    page = write_page(plan, study)
    assert page is not None
    text = page.read_text()
    for number in range(14):
        assert f"trial-{number:04d}" in text
    assert "which flatters it: train it again with other seeds" in text
    assert text.index("Best of 14 trials (") < text.index("Trials, the best first")
    assert f"{ranked(study)[0].params['lr']:.3g}"[:4] in text


def test_another_sweep_in_its_folder_is_refused(plan: Plan) -> None:
    started(plan)
    keep(dataclasses.replace(plan, trials=99))
    for change, said in (
        ({"space": {"lr": Choice((1, 2))}}, "whose space differs"),
        ({"words": ("--steps", "50")}, "whose words differs"),
    ):
        with pytest.raises(ConfigError, match=said):
            keep(dataclasses.replace(plan, **change))


def test_a_figure_that_is_not_there_is_named_and_another_may_be_given(plan: Plan) -> None:
    wrong = dataclasses.replace(plan, metric="distanse")
    with pytest.raises(ConfigError, match=r"did you mean 'distance'\? There are distance"):
        search(started(wrong), Runs(), nothing)
    right = dataclasses.replace(plan, metric="distance", trials=2)
    assert len(search(started(right), Runs(), nothing).get_trials()) == 2
    with pytest.raises(ConfigError, match=r"searches by distance, not by spread\. Leave --metric"):
        search(started(dataclasses.replace(plan, metric="spread")), Runs(), nothing)


@pytest.mark.parametrize("text", ["{", "[1]", "", "[" * 100_000])
def test_a_damaged_file_of_what_was_begun_is_refused(text: str, plan: Plan) -> None:
    started(plan)
    (plan.out / "sweep.json").write_text(text)
    with pytest.raises(ConfigError, match=r"sweep\.json is damaged.*give another --out"):
        keep(plan)
