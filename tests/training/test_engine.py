"""The loop around a recipe: exact resume, stops, and what it leaves in the run folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from nda.errors import CheckpointError, TrainingError
from nda.training.checkpoint import load_checkpoint, newest_checkpoint
from nda.training.engine import Run, check_unfinished
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support import line_recipe
from tests.support.line_recipe import LineConfig, LineState

Step = Callable[[LineState, Tensor, torch.Generator], dict[str, Tensor]]


def begin_line(folder: Path, recipe: Any = line_recipe, **changes: Any) -> Run[Any, Any]:
    """A run of 20 steps with a row every 5 and a checkpoint every 8."""
    data = line_recipe.write_points(folder / "points.txt")
    settings: dict[str, Any] = {
        "data": str(data),
        "out": str(folder / "run"),
        "steps": 20,
        "batch_size": 5,
        "log_every": 5,
        "checkpoint_every": 8,
        "device": "cpu",
    }
    return start(recipe, LineConfig(**(settings | changes)))


def with_step(step: Step) -> Any:
    """The recipe of the line with another step."""
    return replace(line_recipe.RECIPE, step=step)


def after(number: int, act: Callable[[LineState], object]) -> Any:
    """The recipe of the line that does something at the end of step `number`."""

    def step(state: LineState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        scalars = line_recipe.step(state, batch, rng)
        if state.step + 1 == number:
            act(state)
        return scalars

    return with_step(step)


def test_a_run_shorter_than_a_row_logs_one_at_its_end(tmp_path: Path) -> None:
    run = begin_line(tmp_path, steps=3, log_every=50, logger="csv")
    assert run.train()
    (row,) = run.folder.log()
    assert row["step"] == 3
    assert len((run.folder.path / "csv" / "metrics.csv").read_text().splitlines()) == 2
    longer = resume(line_recipe.RECIPE, LineConfig, run.folder, steps=60)
    assert longer.train()
    assert [row["step"] for row in run.folder.log()] == [3, 50]


def test_processes_of_a_run_draw_each_for_itself(tmp_path: Path) -> None:
    drawn = []

    def step(state: LineState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        drawn.append((float(torch.rand((), generator=rng)), float(torch.rand(()))))
        return line_recipe.step(state, batch, rng)

    run: Any = begin_line(tmp_path, with_step(step))
    for rank in (0, 1, 2, 0):
        run.state.step = 4
        run.fabric = SimpleNamespace(global_rank=rank, device=torch.device("cpu"))
        run._one_step()
    first, second, third, again = drawn
    assert first == again
    for kind in (0, 1):  # by the step's generator, and by the global one
        assert len({each[kind] for each in (first, second, third)}) == 3


def newest_content(run: Run[Any, Any]) -> dict[str, Any]:
    newest = newest_checkpoint(run.folder.checkpoints)
    assert newest is not None
    return load_checkpoint(newest)


def assert_same_bits(one: Any, other: Any, place: str = "content") -> None:
    """Compare nested dicts, lists, tensors and values exactly."""
    assert type(one) is type(other), place
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for name in one:
            assert_same_bits(one[name], other[name], f"{place}.{name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same_bits(a, b, f"{place}[{index}]")
    elif isinstance(one, Tensor):
        assert torch.equal(one, other), place
    else:
        assert one == other, place


MACHINE = ("seconds", "images_per_second", "peak_memory_mib")  # no two runs have these in common


def learned(run: Run[Any, Any]) -> list[dict[str, float]]:
    """The rows of the log, without what depends on the machine."""
    rows = run.folder.log()
    return [{name: v for name, v in row.items() if name not in MACHINE} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run[Any, Any]:
    """A run that nothing interrupted."""
    run = begin_line(tmp_path_factory.mktemp("whole"))
    assert run.train()
    return run


def test_a_run_learns_and_leaves_its_folder(whole: Run[Any, Any]) -> None:
    folder = whole.folder
    rows = folder.log()
    assert [row["step"] for row in rows] == [5, 10, 15, 20]
    assert [row["images"] for row in rows] == [25, 50, 75, 100]
    assert list(rows[0]) == ["step", "images", *MACHINE, "loss", "slope"]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert all(row[name] > 0 for row in rows for name in MACHINE)
    checkpoints = sorted(path.name for path in folder.checkpoints.iterdir())
    assert checkpoints == ["latest", "step-00000016.pt", "step-00000020.pt"]
    samples = sorted(path.name for path in folder.samples.iterdir())
    assert samples == ["step-00000000.txt", "step-00000020.txt"]


def test_rows_are_means_over_their_interval(tmp_path: Path, whole: Run[Any, Any]) -> None:
    single = begin_line(tmp_path, log_every=1)
    single.train()
    losses = [row["loss"] for row in single.folder.log()]
    for row in whole.folder.log():
        last = int(row["step"])
        assert row["loss"] == pytest.approx(sum(losses[last - 5 : last]) / 5)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    tmp_path: Path, whole: Run[Any, Any]
) -> None:
    (tmp_path / "same").mkdir()
    (tmp_path / "other").mkdir()
    same, other = begin_line(tmp_path / "same"), begin_line(tmp_path / "other", seed=1)
    same.train()
    other.train()
    expected = newest_content(whole)["state"]
    assert_same_bits(newest_content(same)["state"], expected)
    assert not torch.equal(
        newest_content(other)["state"]["line"]["weight"], expected["line"]["weight"]
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_goes_on_as_if_nothing_had_been(
    tmp_path: Path, whole: Run[Any, Any], number: signal.Signals
) -> None:
    stopped = begin_line(tmp_path, after(7, lambda state: os.kill(os.getpid(), number)))
    assert not stopped.train()
    assert newest_content(stopped)["step"] == 7
    assert [row["step"] for row in stopped.folder.log()] == [5]

    resumed = resume(line_recipe.RECIPE, LineConfig, stopped.folder)
    assert resumed.state.step == 7
    assert resumed.train()
    mine, expected = newest_content(resumed), newest_content(whole)
    for content in (mine, expected):
        del content["seconds"], content["config"]
    assert_same_bits(mine, expected)
    assert learned(resumed) == learned(whole)


def test_a_run_that_was_killed_goes_on_from_its_checkpoint(
    tmp_path: Path, whole: Run[Any, Any]
) -> None:
    def die(state: LineState) -> None:
        raise RuntimeError("power cut")

    killed = begin_line(tmp_path, after(13, die))
    with pytest.raises(RuntimeError, match="power cut"):
        killed.train()
    assert [row["step"] for row in killed.folder.log()] == [5, 10]
    resumed = resume(line_recipe.RECIPE, LineConfig, killed.folder)
    assert resumed.state.step == 8
    resumed.train()
    assert learned(resumed) == learned(whole)
    assert_same_bits(newest_content(resumed)["state"], newest_content(whole)["state"])


def test_time_goes_on_where_it_was(tmp_path: Path) -> None:
    run = begin_line(tmp_path, steps=5)
    run.train()
    resumed = resume(line_recipe.RECIPE, LineConfig, run.folder, steps=10)
    assert resumed.seconds == run.seconds > 0
    resumed.train()
    first, second = resumed.folder.log()
    assert second["seconds"] >= first["seconds"]


def test_samples_evaluations_and_checkpoints_do_not_change_what_is_learned(
    tmp_path: Path, whole: Run[Any, Any]
) -> None:
    busy = begin_line(
        tmp_path, sample_every=3, evaluate_every=6, checkpoint_every=2, keep_checkpoints=3
    )
    busy.train()
    assert_same_bits(newest_content(busy)["state"], newest_content(whole)["state"])
    samples = sorted(int(path.stem[5:]) for path in busy.folder.samples.iterdir())
    assert samples == [0, 3, 6, 9, 12, 15, 18, 20]
    assert [each["step"] for each in busy.folder.evaluations()] == [6, 12, 18]
    checkpoints = sorted(path.name for path in busy.folder.checkpoints.glob("step-*"))
    assert checkpoints == ["step-00000016.pt", "step-00000018.pt", "step-00000020.pt"]


def test_evaluating_keeps_the_figures(whole: Run[Any, Any]) -> None:
    evaluation = whole.evaluate()
    assert whole.folder.evaluations() == [evaluation.as_dict()]
    assert evaluation.step == 20


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    def step(state: LineState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        broken = batch * float("nan") if state.step + 1 == 11 else batch
        return line_recipe.step(state, broken, rng)

    run = begin_line(tmp_path, with_step(step), log_every=50, checkpoint_every=4)
    with pytest.raises(TrainingError, match="loss was not finite at step 11, so the run stopped"):
        run.train()
    assert newest_content(run)["step"] == 8  # of before it; the next would have been step 12
    again = resume(line_recipe.RECIPE, LineConfig, run.folder)
    assert again.train()
    assert torch.isfinite(again.state.line.weight).all()


def test_weights_that_broke_after_their_loss_are_not_saved(tmp_path: Path) -> None:
    def ruin(state: LineState) -> None:
        with torch.no_grad():
            state.line.weight.fill_(float("inf"))

    run = begin_line(tmp_path, after(8, ruin), checkpoint_every=4, log_every=4)
    with pytest.raises(TrainingError, match="weight of the line was not finite at step 8"):
        run.train()
    assert newest_content(run)["step"] == 4


def test_a_stop_keeps_no_checkpoint_of_a_broken_state(tmp_path: Path) -> None:
    def step(state: LineState, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        if state.step + 1 == 10:
            os.kill(os.getpid(), signal.SIGINT)
        return line_recipe.step(state, batch / (state.step < 8), rng)

    run = begin_line(tmp_path, with_step(step), log_every=50)
    with pytest.raises(TrainingError, match="loss was not finite at step 9"):
        run.train()
    assert newest_content(run)["step"] == 8


def test_a_run_that_is_complete_has_nothing_to_train(whole: Run[Any, Any]) -> None:
    with pytest.raises(TrainingError, match="complete: it has reached step 20 of 20"):
        check_unfinished(whole.state, whole.config)
    longer = resume(line_recipe.RECIPE, LineConfig, whole.folder, steps=21)
    check_unfinished(longer.state, longer.config)


def test_a_full_disk_stops_the_run_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def fill_up(state: LineState) -> None:
        def refuse(content: object, file: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(torch, "save", refuse)

    run = begin_line(tmp_path, after(9, fill_up))
    with pytest.raises(ValueError, match=r"step-00000016\.pt could not be written .*step-00000008"):
        run.train()
    monkeypatch.setattr(torch, "save", save)
    assert resume(line_recipe.RECIPE, LineConfig, RunFolder.open(run.folder.path)).train()


def test_what_was_due_at_the_step_of_a_stop_is_made_up(tmp_path: Path) -> None:
    stopping = after(6, lambda state: os.kill(os.getpid(), signal.SIGTERM))
    run = begin_line(tmp_path, stopping, sample_every=6, evaluate_every=6, steps=8)
    assert not run.train()
    assert run.stopped_by == signal.SIGTERM
    assert run.folder.evaluations() == []
    resumed = resume(line_recipe.RECIPE, LineConfig, run.folder)
    assert resumed.train()
    assert [each["step"] for each in resumed.folder.evaluations()] == [6]
    samples = sorted(int(path.stem[5:]) for path in resumed.folder.samples.iterdir())
    assert samples == [0, 6, 8]


def test_an_evaluation_on_the_way_is_broken_off_and_made_up(tmp_path: Path) -> None:
    def evaluate(state: LineState) -> Any:
        os.kill(os.getpid(), signal.SIGHUP)
        raise AssertionError("it went on")

    recipe = replace(line_recipe.RECIPE, evaluate=evaluate)
    run = begin_line(tmp_path, recipe, evaluate_every=6)
    assert not run.train()
    assert (run.stopped_by, newest_content(run)["step"]) == (signal.SIGHUP, 6)
    resumed = resume(line_recipe.RECIPE, LineConfig, run.folder)
    assert resumed.train()
    assert [each["step"] for each in resumed.folder.evaluations()] == [6, 12, 18]


def test_a_signal_at_the_last_step_stops_the_run_before_its_evaluation(tmp_path: Path) -> None:
    run = begin_line(tmp_path, after(20, lambda state: os.kill(os.getpid(), signal.SIGINT)))
    assert not run.train()
    resumed = resume(line_recipe.RECIPE, LineConfig, run.folder)
    assert resumed.train()
    assert (run.folder.samples / "step-00000020.txt").is_file()


@pytest.mark.parametrize("part", ["means", "data", "seconds", "line"])
def test_a_checkpoint_without_a_part_is_refused(tmp_path: Path, part: str) -> None:
    run = begin_line(tmp_path, steps=2)
    run.train()
    content = newest_content(run)
    del (content["state"] if part == "line" else content)[part]
    with pytest.raises(CheckpointError, match=rf"does not fit its settings.*{part}"):
        run.load(content)
