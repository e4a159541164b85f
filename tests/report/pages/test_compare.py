from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from nda.errors import CheckpointError, ConfigError
from nda.evaluation.record import Evaluation
from nda.report.contents import RunContents, read_run, run_labels
from nda.report.groups import group_by_seed
from nda.report.metrics import metric_blocks
from nda.report.pages.compare import Table, write_comparison
from nda.training.run_folder import RunFolder
from tests.support.invented_runs import (
    Read,
    bare_run,
    check_self_contained,
    distance,
    evaluated_run,
    gap,
    whole_run,
)


def contents(*runs: RunFolder) -> list[RunContents]:
    labels = run_labels([run.path for run in runs])
    return [read_run(run, label) for run, label in zip(runs, labels, strict=True)]


def compared(out: Path, *runs: RunFolder) -> Read:
    return Read(write_comparison(runs, out / "page.html").read_text())


def section(read: Read, heading: str, following: str) -> str:
    return read.text.split(heading, 1)[1].split(following, 1)[0]


def test_a_whole_comparison_is_self_contained(tmp_path: Path) -> None:
    runs = [
        whole_run(tmp_path / "plain", negative="none"),
        whole_run(tmp_path / "nda", negative="jigsaw"),
    ]
    table = Table("Counts", ("images", "share"), [("plain <b>", 0.123456), ("nda", "78 %")], "Note")
    out = tmp_path / "new" / "page.html"
    assert write_comparison(runs, out, title="Two & two", tables=[table]) == out
    page = out.read_text()
    check_self_contained(page)
    read = Read(page)
    assert "Two & two :root" in read.text
    assert "nda 40.25. How much of this is noise is not known" in read.text
    assert "Counts images share plain <b> 0.1235 nda 78 % Note Runs" in read.text
    assert read.pictures == ["plain, step 20", "nda, step 20"]
    assert "plain 20 1,280 10.0 s 128" in read.text
    assert "D(negative)" in read.text
    commands = read.text.split("To repeat these runs")[1]
    assert commands.count("nda train gan") == 2
    assert commands.count("Made with nda 0.1.0") == 1


def test_only_settings_that_differ_are_shown(tmp_path: Path) -> None:
    runs = [
        bare_run(tmp_path / "a", fake_weight=0.25),
        bare_run(tmp_path / "b", fake_weight=0.5, beta1=0.5),
    ]
    shown = section(compared(tmp_path, *runs), "Settings that differ", "Metrics")
    assert " ".join(shown.split()) == (
        "Setting a b fake_weight 0.25 0.5 beta1 not set 0.5 All other settings are the same."
    )


def test_seeds_are_averaged(tmp_path: Path) -> None:
    values = [40.0, 43.0, 47.5]
    runs = [
        evaluated_run(tmp_path / f"nda{seed}", Evaluation(20, [distance(value)]), seed=seed)
        for seed, value in enumerate(values)
    ]
    alone = evaluated_run(tmp_path / "plain", Evaluation(20, [distance(50)]), negative="none")
    groups = group_by_seed(contents(*runs, alone))
    assert [(group.label, len(group.runs)) for group in groups] == [
        ("negative jigsaw (3 seeds)", 3),
        ("plain", 1),
    ]
    (block,) = metric_blocks(groups)
    (row,) = block.rows
    seeds, single = row.cells
    assert seeds is not None
    mean, deviation = (float(part) for part in seeds.text.split(" ± "))
    assert mean == pytest.approx(statistics.mean(values), abs=0.05)
    assert deviation == pytest.approx(statistics.stdev(values), abs=0.05)
    assert seeds.details == "n = 3: 40.0, 43.0, 47.5"
    assert single is not None
    assert (single.text, single.details) == ("50", "")
    text = compared(tmp_path, *runs, alone).text
    assert f"{seeds.text} {seeds.details}" in text
    assert "seed 0, 1, 2 0" in text


def test_a_seed_that_was_not_measured_is_not_counted(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / "a", Evaluation(20, [distance(40)]), seed=0),
        bare_run(tmp_path / "b", seed=1),
    ]
    (block,) = metric_blocks(group_by_seed(contents(*runs)))
    (cell,) = block.rows[0].cells
    assert cell is not None
    assert (cell.text, cell.details) == ("40", "n = 1 of 2, seed 0 only")
    assert "b has not been evaluated." in compared(tmp_path, *runs).text


def test_runs_of_one_seed_are_not_taken_for_independent(tmp_path: Path) -> None:
    runs = [bare_run(tmp_path / name, seed=3) for name in ("a", "b")]
    assert [group.label for group in group_by_seed(contents(*runs))] == ["a", "b"]
    text = compared(tmp_path, *runs).text
    assert "The runs have the same settings." in text


def test_groups_that_differ_in_much_are_called_by_a_folder(tmp_path: Path) -> None:
    other = {"negative": "none", "fake_weight": 1.0, "batch_size": 8}
    runs = [bare_run(tmp_path / f"a{seed}", seed=seed) for seed in range(2)]
    runs += [bare_run(tmp_path / f"b{seed}", seed=seed, **other) for seed in range(2)]
    labels = [group.label for group in group_by_seed(contents(*runs))]
    assert labels == ["a0 and its other seeds (2 seeds)", "b0 and its other seeds (2 seeds)"]


def test_different_protocols_do_not_share_a_row(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / "a", Evaluation(20, [distance(40)], [gap()])),
        evaluated_run(
            tmp_path / "b",
            Evaluation(20, [distance(30, split="train")], [gap(split="train")]),
            negative="none",
        ),
    ]
    (block,) = metric_blocks(group_by_seed(contents(*runs)))
    assert block.protocols_differ
    texts = [[cell and cell.text for cell in row.cells] for row in block.rows]
    assert texts == [["40", None], [None, "30"]]
    differing = [[part.name for part in row.protocol if part.differs] for row in block.rows]
    assert differing == [["split"], ["split"]]
    read = compared(tmp_path, *runs)
    assert "Distance of features: the protocols differ, and figures in different rows" in read.text
    assert read.tags.count("svg") == 2  # nor do the histograms share a figure


def test_one_protocol_shares_a_row_and_a_figure(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / name, Evaluation(20, [distance(40)], [gap()]), negative=name)
        for name in ("jigsaw", "stitch")
    ]
    (block,) = metric_blocks(group_by_seed(contents(*runs)))
    assert len(block.rows) == 1
    read = compared(tmp_path, *runs)
    assert "cannot be compared" not in read.text
    assert read.tags.count("svg") == 1


def test_rows_are_at_the_latest_step_in_common(tmp_path: Path) -> None:
    longer = [Evaluation(step, [distance(step / 10)]) for step in (10, 20, 30)]
    runs = [
        evaluated_run(tmp_path / "a", *longer),
        evaluated_run(tmp_path / "b", *longer[:2], negative="none"),
    ]
    (block,) = metric_blocks(group_by_seed(contents(*runs)))
    assert [(row.step, [cell and cell.text for cell in row.cells]) for row in block.rows] == [
        (20, ["2", "2"])
    ]


def test_steps_without_anything_in_common_do_not_share_a_row(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / "a", Evaluation(10, [distance(1)])),
        evaluated_run(tmp_path / "b", Evaluation(20, [distance(2)]), negative="none"),
    ]
    (block,) = metric_blocks(group_by_seed(contents(*runs)))
    assert [(row.step, [cell and cell.text for cell in row.cells]) for row in block.rows] == [
        (10, ["1", None]),
        (20, [None, "2"]),
    ]
    assert "Distance of features: the steps differ" in compared(tmp_path, *runs).text


def test_notes_name_the_runs_they_are_about(tmp_path: Path) -> None:
    runs = [
        evaluated_run(tmp_path / "a", Evaluation(1, [], notes=["FID: no weights.", "KID."])),
        evaluated_run(tmp_path / "b", Evaluation(1, [], notes=["FID: no weights."]), seed=1),
    ]
    assert "Notes: FID: no weights. KID. (a)" in compared(tmp_path, *runs).text


def test_samples_are_of_the_latest_step_in_common(tmp_path: Path) -> None:
    runs = [whole_run(tmp_path / "a"), whole_run(tmp_path / "b", negative="none")]
    (runs[0].samples / "step-00000020.png").unlink()
    assert compared(tmp_path, *runs).pictures == ["a, step 18", "b, step 18"]


def test_runs_of_one_name_are_told_apart_by_their_parents(tmp_path: Path) -> None:
    paths = [tmp_path / "old" / "run", tmp_path / "new" / "run"]
    assert run_labels(paths) == ["old/run", "new/run"]
    assert run_labels([tmp_path / "old", tmp_path / "new"]) == ["old", "new"]


def test_missing_parts_are_named(tmp_path: Path) -> None:
    text = compared(tmp_path, bare_run(tmp_path / "a"), bare_run(tmp_path / "b", seed=1)).text
    for sentence in (
        "a has no log.",
        "None of the runs has been evaluated.",
        "b has no samples.",
        "The latest evaluations hold no histograms.",
        "None of the runs has a log.",
    ):
        assert sentence in text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)<script>"
    runs = [whole_run(tmp_path / hostile), whole_run(tmp_path / "_b", negative=hostile)]
    page = write_comparison(runs, tmp_path / "page.html", title=hostile).read_text()
    check_self_contained(page)
    assert "<script>alert" not in page


def test_fewer_than_two_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 run given; a comparison needs two or more"):
        write_comparison([bare_run(tmp_path / "a")], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_one_run_twice_is_refused(tmp_path: Path) -> None:
    run = bare_run(tmp_path / "a")
    again = RunFolder(tmp_path / "b" / ".." / "a")
    with pytest.raises(ConfigError, match="was given more than once; name each run once"):
        write_comparison([run, again], tmp_path / "page.html")


def test_runs_of_different_recipes_are_refused(tmp_path: Path) -> None:
    runs = [bare_run(tmp_path / "a"), bare_run(tmp_path / "b", recipe="moco")]
    with pytest.raises(ConfigError, match=r"b is a run of moco, .*a one of gan; compare runs of"):
        write_comparison(runs, tmp_path / "page.html")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a run folder"):
        write_comparison([bare_run(tmp_path / "a"), RunFolder(tmp_path)], tmp_path / "page.html")
