"""A run begins in a fresh folder and is taken up again from that folder alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from nda.errors import CheckpointError, ConfigError, DataError
from nda.runtime.locks import lock
from nda.training.config import FREE, NAME_OR_PATH, PATH
from nda.training.lock import release
from nda.training.run_folder import RunFolder
from nda.training.start import (
    config_of,
    create,
    extend,
    refuse_changes,
    refuse_unusable,
    resume,
    start,
    with_absolute_paths,
)
from tests.support import line_recipe
from tests.support.line_recipe import LineConfig


@pytest.fixture
def config(tmp_path: Path) -> LineConfig:
    data = line_recipe.write_points(tmp_path / "points.txt")
    out = str(tmp_path / "runs" / "line")
    return LineConfig(data=str(data), out=out, steps=4, batch_size=5, device="cpu")


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def test_the_folder_says_what_it_was_made_with(config: LineConfig) -> None:
    run = start(line_recipe.RECIPE, config)
    text = run.folder.config_path.read_text()
    assert text.startswith("# nda ")
    assert "torch" in text.splitlines()[0]
    assert LineConfig(**run.folder.config()) == config
    assert run.state.step == 0


def test_paths_hold_from_any_working_directory(
    config: LineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = LineConfig(**(config.as_dict() | {"data": "points.txt", "out": "run"}))
    run = start(line_recipe.RECIPE, relative)
    assert run.folder.config()["data"] == str(tmp_path / "points.txt")
    assert run.train()
    monkeypatch.chdir("/")
    again = resume(line_recipe.RECIPE, LineConfig, RunFolder.open(tmp_path / "run"))
    assert again.state.step == 4


@dataclass(frozen=True, kw_only=True)
class NewConfig(LineConfig):
    """Settings of a recipe that the engine has never seen."""

    steps: int = 3  # another default; what is said of it stays
    weights: str | None = field(default=None, metadata=PATH)
    colours: str = field(default="grey", metadata=NAME_OR_PATH)
    speed: int = field(default=1, metadata=FREE)


def test_what_is_said_where_a_new_setting_stands_holds_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = NewConfig(data="torchvision:CIFAR10", out="run", weights="w.pth", colours="grey")
    found = with_absolute_paths(given)
    assert (found.data, found.out) == ("torchvision:CIFAR10", "run")
    assert found.as_dict()["weights"] == str(tmp_path / "w.pth")
    assert found.as_dict()["colours"] == "grey"
    Path("grey").touch()
    assert with_absolute_paths(given).as_dict()["colours"] == str(tmp_path / "grey")

    before = given.as_dict() | {"speed": 7, "steps": 1, "weights": "elsewhere.pth"}
    refuse_changes(before, given, RunFolder(tmp_path))
    with pytest.raises(CheckpointError, match="colours is 'grey'"):
        refuse_changes(before | {"colours": "red"}, given, RunFolder(tmp_path))


def test_a_setting_younger_than_the_checkpoint_had_its_default_then(tmp_path: Path) -> None:
    given = NewConfig(data="data", out="run", colours="grey")
    before = {name: value for name, value in given.as_dict().items() if name != "colours"}
    refuse_changes(before, given, RunFolder(tmp_path))
    red = dataclasses.replace(given, colours="red")
    with pytest.raises(CheckpointError, match=r"colours is 'red' .* but was 'grey'"):
        refuse_changes(before, red, RunFolder(tmp_path))


def test_more_processes_or_fewer_share_the_batches(tmp_path: Path) -> None:
    two = NewConfig(data="data", out="run", devices=2, batch_size=12)
    four, one = two.shared_by(2, 2), two.shared_by(1, 1)
    assert (four.devices, four.num_nodes, four.batch_size, four.processes) == (2, 2, 6, 4)
    assert (one.devices, one.num_nodes, one.batch_size, one.processes) == (1, 1, 24, 1)
    for other in (four, one):
        refuse_changes(two.as_dict(), other, RunFolder(tmp_path))
    larger = dataclasses.replace(one, batch_size=12)
    with pytest.raises(CheckpointError, match="devices is 1 in"):
        refuse_changes(two.as_dict(), larger, RunFolder(tmp_path))


@pytest.mark.parametrize("name", ["devices", "num_nodes"])
def test_no_processes_are_refused(config: LineConfig, name: str) -> None:
    create(RunFolder(Path(config.out)), config)
    with pytest.raises(ConfigError, match=f"{name} is 0; it must be at least 1"):
        config_of(RunFolder(Path(config.out)), LineConfig, **{name: 0})


def test_a_share_that_the_recipe_cannot_use_is_refused(
    config: LineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(self: LineConfig) -> None:
        if self.batch_size < 2:
            raise ConfigError(f"batch_size is {self.batch_size}; it must be at least 2.")

    monkeypatch.setattr(LineConfig, "check", check)
    two = dataclasses.replace(config, batch_size=2)
    create(RunFolder(Path(config.out)), two)
    message = "With 2 processes each draws 1 of the 2 .* of a batch, and batch_size is 1; it must"
    with pytest.raises(ConfigError, match=message):
        config_of(RunFolder(Path(config.out)), LineConfig, devices=2)


@pytest.mark.parametrize(("devices", "num_nodes"), [(5, 1), (3, 3), (48, 1)])
def test_processes_that_cannot_share_a_batch_are_refused(devices: int, num_nodes: int) -> None:
    two = NewConfig(data="data", out="run", devices=2, batch_size=12)
    count = devices * num_nodes
    with pytest.raises(ConfigError, match=f"{count} processes cannot share batches of 24 images"):
        two.shared_by(devices, num_nodes)
    with pytest.raises(ConfigError, match="devices is 0; it must be at least 1"):
        two.shared_by(0, 1)


def test_nothing_is_made_where_the_data_cannot_be_had(config: LineConfig, tmp_path: Path) -> None:
    missing = LineConfig(**(config.as_dict() | {"data": str(tmp_path / "nowhere")}))
    with pytest.raises(DataError, match=r"There is no .*nowhere"):
        start(line_recipe.RECIPE, missing)
    assert not (tmp_path / "runs").exists()


def test_a_value_out_of_range_is_refused_before_anything_else(config: LineConfig) -> None:
    wrong = LineConfig(**(config.as_dict() | {"steps": 0}))
    with pytest.raises(ConfigError, match="steps is 0; it must be at least 1"):
        start(line_recipe.RECIPE, wrong)
    assert not Path(config.out).exists()


def test_a_folder_that_holds_a_run_is_refused(config: LineConfig) -> None:
    start(line_recipe.RECIPE, config)
    with pytest.raises(
        CheckpointError, match=r"already holds a run\. Continue it with 'nda resume"
    ):
        start(line_recipe.RECIPE, config)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CheckpointError, match=r"--out .*/file/run: .*/file is a file, not a folder"
    ):
        refuse_unusable(RunFolder(tmp_path / "file" / "run"))


def test_a_folder_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(CheckpointError, match=f"no permission to write in {tmp_path}"):
        refuse_unusable(RunFolder(tmp_path / "deep" / "run"))


def test_a_run_without_a_checkpoint_cannot_go_on(config: LineConfig) -> None:
    run = start(line_recipe.RECIPE, config)
    with pytest.raises(CheckpointError, match="holds no checkpoint yet"):
        resume(line_recipe.RECIPE, LineConfig, run.folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": 0.5}, r"rate is 0.5 in .*config.yaml but was 0.05 when the checkpoint"),
        ({"seed": 1}, r"seed is 1 in .*config.yaml but was 0"),
        ({"batch_size": "five"}, r"config.yaml is not as nda wrote it"),
        ({"speed": 3}, r"has a setting 'speed' that this version of nda does not know"),
        ({"steps": -1}, "steps is -1; it must be at least 1"),
    ],
)
def test_changed_settings_are_refused_by_name(
    config: LineConfig, changes: dict[str, Any], message: str
) -> None:
    run = start(line_recipe.RECIPE, config)
    run.train()
    edit(run.folder.path, **changes)
    with pytest.raises((CheckpointError, ConfigError), match=message):
        resume(line_recipe.RECIPE, LineConfig, run.folder)


def test_a_missing_setting_is_refused(config: LineConfig) -> None:
    run = start(line_recipe.RECIPE, config)
    run.train()
    settings = run.folder.config()
    del settings["data"]
    run.folder.config_path.write_text(yaml.safe_dump(settings))
    with pytest.raises(ConfigError, match=r"not as nda wrote it \(.*'data'\)\. Restore it"):
        resume(line_recipe.RECIPE, LineConfig, run.folder)


def test_what_does_not_change_the_learning_may_be_changed(config: LineConfig) -> None:
    run = start(line_recipe.RECIPE, config)
    run.train()
    edit(run.folder.path, log_every=7, checkpoint_every=3)
    again = resume(line_recipe.RECIPE, LineConfig, run.folder, steps=9, device=None)
    assert (again.config.log_every, again.config.steps, again.config.device) == (7, 9, "cpu")
    assert again.train()
    assert again.state.step == 9


def test_data_that_changed_are_refused_and_data_that_moved_are_not(
    config: LineConfig, tmp_path: Path
) -> None:
    run = start(line_recipe.RECIPE, config)
    run.train()
    data = Path(config.data).rename(tmp_path / "moved.txt")
    edit(run.folder.path, data=str(data))
    assert resume(line_recipe.RECIPE, LineConfig, run.folder).state.step == 4
    line_recipe.write_points(data, slope=2.5)
    with pytest.raises(CheckpointError, match=r"moved\.txt is not what .* was trained on"):
        resume(line_recipe.RECIPE, LineConfig, run.folder)


@pytest.mark.parametrize("falls", [True, False])
def test_a_new_length_is_kept_and_told_where_the_rate_falls_over_it(
    config: LineConfig, capsys: pytest.CaptureFixture[str], falls: bool
) -> None:
    class Falling(LineConfig):
        rate_falls = falls

    run = start(line_recipe.RECIPE, config)
    assert run.train()
    longer = resume(line_recipe.RECIPE, Falling, run.folder, steps=6)
    extend(longer)
    told = capsys.readouterr().err
    assert run.folder.config()["steps"] == 6
    assert ("now 6 steps in place of 4; from step 4 on it follows the new curve" in told) == falls
    extend(longer)
    assert capsys.readouterr().err == ""


def test_a_rank_in_the_environment_unlocks_no_run_of_one_process(
    config: LineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(line_recipe.RECIPE, config)
    assert run.train()
    release()
    with (run.folder.path / ".lock").open("w") as other:
        lock(other)
        monkeypatch.setenv("RANK", "1")
        with pytest.raises(CheckpointError, match="is being written by another process"):
            resume(line_recipe.RECIPE, LineConfig, run.folder, steps=6)
