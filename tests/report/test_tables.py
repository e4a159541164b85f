"""Figures in tables: on a page, on the terminal and in a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nda.commands.runs.figures import print_evaluation
from nda.evaluation.record import Evaluation, Metric, Protocol
from nda.report.pages.compare import write_comparison
from nda.report.pages.run import write_report
from nda.report.tables import MetricTable, MetricTables, alone, metric_tables
from tests.support.invented_runs import Read, distance, evaluated_run

TITLE = "Out-of-distribution set dtd"


def cell(row: str, column: str, value: float, **protocol: str | float) -> Metric:
    """A figure of the table TITLE."""
    whole: Protocol = {"split": "test", "score": row, **protocol}
    interval = [value - 0.1, value + 0.1] if column == "AUROC" else None
    name = f"ood_{row}_{column}"
    return Metric(name, f"{column} of {row}", value, "higher", whole, interval, TITLE, row, column)


def figures(value: float = 0.7, **protocol: str | float) -> list[Metric]:
    return [
        distance(40.25),
        cell("D", "AUROC", value, **protocol),
        cell("D", "AP", 0.25, **protocol),
        cell("MSP", "AUROC", 0.9, classifier="abc", **protocol),
    ]


def test_rows_and_columns_stand_in_their_order() -> None:
    assert metric_tables(figures()) == MetricTables(
        [
            MetricTable(
                title=TITLE,
                columns=["AUROC", "AP"],
                rows=[("D", ["0.7 (0.6 to 0.8)", "0.25"]), ("MSP", ["0.9 (0.8 to 1)", ""])],
                protocol="",
                warning="",
            )
        ],
        protocol="split: test",
        details=[("D", "score: D"), ("MSP", "score: MSP; classifier: abc")],
    )
    assert alone(figures()) == [distance(40.25)]


def test_what_is_alike_in_all_tables_is_said_once() -> None:
    other = [replace(each, table="Out-of-distribution set svhn") for each in figures(images=20)[1:]]
    found = metric_tables(figures(images=10) + other)
    assert found.protocol == "split: test"
    assert [table.protocol for table in found.tables] == ["images: 10", "images: 20"]
    assert found.details == [("D", "score: D"), ("MSP", "score: MSP; classifier: abc")]


def test_no_figures_and_no_tables() -> None:
    assert metric_tables([distance(1)]) == MetricTables([], "", [])


def test_a_wide_table_leaves_the_intervals_out() -> None:
    metrics = [
        Metric(f"m{i}", "", 0.5, "", {}, [0.4, 0.6], "wide", "row", f"column {i}") for i in range(6)
    ]
    (table,) = metric_tables(metrics).tables
    assert table.many
    assert table.rows == [("row", ["0.5"] * 6)]
    (narrow,) = metric_tables(metrics[:5]).tables
    assert not narrow.many
    assert narrow.rows == [("row", ["0.5 (0.4 to 0.6)"] * 5)]


def test_a_wide_table_scrolls_in_a_box_that_has_a_name_and_takes_the_keyboard(
    tmp_path: Path,
) -> None:
    metrics = [Metric(f"m{i}", "", 0.5, "", {}, None, "A > B", "row", f"c{i}") for i in range(6)]
    box = '<div class="scroll" role="region" aria-label="A &gt; B" tabindex="0"><table{}>'
    for some, form in ((metrics, ' class="many"'), (metrics[:5], "")):
        run = evaluated_run(tmp_path / str(len(some)), Evaluation(1, some))
        assert box.format(form) in write_report(run).read_text()


def test_a_warning_stands_apart_from_the_protocol() -> None:
    found = metric_tables(figures(warning="7 images are shared"))
    assert found.tables[0].warning == "7 images are shared"
    assert "shared" not in found.protocol + found.tables[0].protocol


def test_the_page_shows_tables_below_the_single_figures(tmp_path: Path) -> None:
    shared = figures(warning="7 <images> are shared", compression="one JPEG pass")
    run = evaluated_run(tmp_path / "run", Evaluation(20, shared))
    text = Read(write_report(run).read_text()).text
    figure, table = text.split(TITLE)
    assert "Distance of features" in figure
    assert "AUROC of D" not in text  # in its cell, not in a line of its own
    assert table.startswith(
        " Warning: 7 <images> are shared. AUROC AP D 0.7 (0.6 to 0.8) 0.25 MSP 0.9 (0.8 to 1) – "
        "In all these tables: split: test; compression: one JPEG pass. D : score: D. "
        "MSP : score: MSP; classifier: abc."
    )


def test_a_page_of_tables_alone(tmp_path: Path) -> None:
    run = evaluated_run(tmp_path / "run", Evaluation(20, figures()[1:]))
    text = Read(write_report(run).read_text()).text
    assert TITLE in text
    assert "holds no metrics" not in text


def test_figures_of_a_table_are_not_drawn_over_the_steps(tmp_path: Path) -> None:
    run = evaluated_run(
        tmp_path / "run", Evaluation(10, figures()[1:]), Evaluation(20, figures()[1:])
    )
    assert "Metrics over training" not in write_report(run).read_text()


def test_the_terminal_shows_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluation(Evaluation(20, figures(warning="7 images are shared")))
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert TITLE in lines
    assert any("0.7 (0.6 to 0.8)" in line and "D" in line for line in lines)
    assert "MSP: score: MSP; classifier: abc" in lines
    assert "warning: 7 images are shared" in lines
    assert out.count("AUROC") == 1


def test_a_comparison_folds_the_tables(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / "none0", Evaluation(20, figures(0.6)), negative="none", seed=0),
        evaluated_run(tmp_path / "none1", Evaluation(20, figures(0.7)), negative="none", seed=1),
        evaluated_run(tmp_path / "nda", Evaluation(20, figures(0.8)), negative="jigsaw"),
    ]
    page = write_comparison(runs, tmp_path / "page.html").read_text()
    read = Read(page)
    assert read.tags.count("details") == 1
    table = read.text.split(f"{TITLE}: 3 figures")[1].split("± is")[0]
    assert "AUROC of D (higher is better) 0.650 ± 0.071 n = 2: 0.600, 0.700 0.8" in table
    assert table.count("step 20; split: test") == 1  # once for all rows
    assert "AUROC of D" not in read.text.split(TITLE)[0]


def test_protocols_that_differ_are_shown_in_a_folded_table_too(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / "a", Evaluation(20, figures(jpeg=75)), negative="none"),
        evaluated_run(tmp_path / "b", Evaluation(20, figures(jpeg=0))),
    ]
    text = Read(write_comparison(runs, tmp_path / "page.html").read_text()).text
    assert "AUROC of D: the protocols differ, and figures in different rows cannot" in text
