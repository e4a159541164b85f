"""A page opens with what its figures say, and with what they cannot say."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import ttest_ind

from nda.evaluation.outliers.faults import TABLE
from nda.evaluation.record import Evaluation, Metric
from nda.report.contents import read_run
from nda.report.groups import Group, group_by_seed
from nda.report.verdicts import comparison_verdict, headline, run_verdict, welch_interval
from tests.support.invented_runs import distance, evaluated_run


def auroc(value: float, low: float, high: float, table: str = "") -> Metric:
    kind = {"figure": "auroc"}
    title = "AUROC of faults" if table else "AUROC"
    return Metric("auroc", title, value, "higher", {}, [low, high], table, kind=kind)


def test_an_auroc_whose_interval_holds_a_half_has_shown_nothing() -> None:
    assert run_verdict(Evaluation(1, [auroc(0.53, 0.48, 0.58)])) == (
        "It has learned nothing that this test can see. AUROC: 0.53 (0.48 to 0.58), an interval "
        "that holds 0.5, which is guessing."
    )
    for at_the_edge in (auroc(0.55, 0.5, 0.6), auroc(0.45, 0.4, 0.5)):
        assert "nothing that this test can see" in run_verdict(Evaluation(1, [at_the_edge]))


def test_an_auroc_beside_a_half_is_said_with_its_side() -> None:
    better = run_verdict(Evaluation(1, [auroc(0.9, 0.85, 0.95)]))
    assert better == "AUROC: 0.9 (0.85 to 0.95); guessing would be 0.5."
    worse = run_verdict(Evaluation(1, [auroc(0.3, 0.2, 0.4)]))
    assert worse.endswith("guessing would be 0.5, and this is worse.")


def test_other_figures_are_said_with_their_direction() -> None:
    found = run_verdict(Evaluation(1, [distance(3.5)]))
    assert found == "Distance of features: 3.5, lower is better."


def test_runs_without_figures_are_said_to_have_none() -> None:
    assert run_verdict(None) == "This run has not been evaluated."
    neither = Metric("rate", "Learning rate", 0.1, "", {})
    assert run_verdict(Evaluation(1, [neither])) == "No figure judges this run."


def test_faults_judge_before_a_runs_own_negatives() -> None:
    figures = [auroc(0.9, 0.8, 1.0), auroc(0.6, 0.55, 0.7, TABLE), auroc(0.7, 0.6, 0.8, TABLE)]
    assert headline(figures) is figures[1]
    assert headline([Metric("rate", "Rate", 0.1, "", {}), figures[0]]) is figures[0]


def groups_of(folder: Path, **values: list[float]) -> list[Group]:
    """Groups that differ by their negative; a run a value, each of another seed."""
    runs = [
        evaluated_run(
            folder / f"{negative}-{seed}",
            Evaluation(10, [distance(value)]),
            negative=negative,
            seed=seed,
        )
        for negative, some in values.items()
        for seed, value in enumerate(some)
    ]
    return group_by_seed([read_run(run, run.path.name) for run in runs])


def test_single_runs_leave_the_noise_open(tmp_path: Path) -> None:
    said = comparison_verdict(groups_of(tmp_path, none=[4.0], jigsaw=[3.0]))
    assert said.startswith("Distance of features (lower is better): jigsaw-0 3, none-0 4. ")
    assert said.endswith("is not known: that takes two seeds or more of each.")


def test_a_difference_is_held_against_its_noise(tmp_path: Path) -> None:
    clear = groups_of(tmp_path / "clear", none=[4.0, 4.1, 4.2], jigsaw=[3.0, 3.1, 3.2])
    said = comparison_verdict(clear)
    assert said.endswith("by -1 (95 %: -1.227 to -0.7733), more than noise.")
    noisy = groups_of(tmp_path / "noisy", none=[4.0, 2.0], jigsaw=[3.0, 2.5])
    assert comparison_verdict(noisy).endswith("which noise alone may have made.")


def test_runs_without_a_common_figure_are_not_compared(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / "a", Evaluation(1, [distance(1.0)]), negative="none"),
        evaluated_run(tmp_path / "b", Evaluation(1, [distance(1.0, split="x")])),
    ]
    groups = group_by_seed([read_run(run, run.path.name) for run in runs])
    assert comparison_verdict(groups).startswith("These runs have no figure in common")


@pytest.mark.parametrize("others", [[1.0, 1.4], [0.5, 2.0, 1.9, 1.1]])
def test_the_interval_is_that_of_welchs_test(others: list[float]) -> None:
    some = [2.0, 2.5, 3.1]
    expected = ttest_ind(some, others, equal_var=False).confidence_interval(0.95)
    assert welch_interval(some, others) == pytest.approx((expected.low, expected.high))


def test_values_that_are_all_alike_differ_by_what_they_do() -> None:
    assert welch_interval([2.0, 2.0], [1.0, 1.0]) == (1.0, 1.0)
