"""What trackers hold of a run that was cut off and resumed, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from pathlib import Path

import pytest

from nda.cli import main
from nda.errors import ConfigError
from nda.training.log import LogWriter
from nda.training.run_folder import RunFolder
from nda.training.trackers import PACKAGES, require_tracker
from tests.support.tiny_run import train

CONFIG = {"steps": 20, "seed": 3, "data": "/photos"}
FIRST = [{"step": step, "seconds": step / 10, "loss": step / 8} for step in (5, 10, 15)]
SECOND = [
    {"step": 15, "seconds": 1.0, "loss": 7.0, "slope": 1.0},
    {"step": 20, "seconds": 1.5, "loss": 8.0, "slope": 2.0},
]
# The run was killed after step 15, and its newest checkpoint was of step 10.
WHOLE = {5: 5 / 8, 10: 10 / 8, 15: 7.0, 20: 8.0}


def logged(folder: Path, tracker: str) -> None:
    """A run of which the second part begins at the checkpoint of step 10."""
    for rows, last_step in ((FIRST, 0), (SECOND, 10)):
        if rows is SECOND and tracker in ("tensorboard", "wandb"):
            # What they write is called after its second, and read in the order of the names, which
            # in one second end in a counter: 10 stands before 9.
            time.sleep(1.1)
        log = LogWriter(RunFolder(folder), last_step=last_step, logger=tracker, config=CONFIG)
        for row in rows:
            log.write(row)
        log.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "a run"
    found.mkdir()
    return found


def test_tensorboard_hides_what_is_trained_again(folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logged(folder, "tensorboard")
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert {each.step: each.value for each in events.Scalars("loss")} == WHOLE
    assert [each.step for each in events.Scalars("slope")] == [15, 20]


def test_the_table_of_csv_is_that_of_the_log(folder: Path) -> None:
    logged(folder, "csv")
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["step"]): float(row["loss"]) for row in rows} == WHOLE
    assert [row["slope"] for row in rows] == ["", "", "1.0", "2.0"]
    assert set(rows[0]) == {"step", "loss", "slope"}


def test_mlflow_goes_on_in_the_same_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    logged(folder, "mlflow")
    client = tracking.MlflowClient(tracking_uri=(folder / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("nda")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "a run"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"steps": "20", "seed": "3", "data": "/photos"}
    history = client.get_metric_history(run.info.run_id, "loss")
    assert {each.step: each.value for each in history} == WHOLE
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


@pytest.mark.slow
def test_wandb_stays_offline_and_keeps_its_id(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    logged(folder, "wandb")
    identity = json.loads((folder / "trackers.json").read_text())["wandb"]
    runs = sorted((folder / "wandb").glob("offline-run-*"))
    assert {run.name.rpartition("-")[2] for run in runs} == {identity}
    found: dict[int, float] = {}
    for run in runs:
        found |= history_of(run / f"run-{identity}.wandb")
    assert found == WHOLE
    out, err = capfd.readouterr()
    assert out == ""
    assert "wandb" not in err


def history_of(file: Path) -> dict[int, float]:
    """Losses by step in a small file of wandb: records behind a head of seven bytes each."""
    from wandb.proto import wandb_internal_pb2

    content, found, place = file.read_bytes(), {}, 7
    while place + 7 <= len(content):
        length = int.from_bytes(content[place + 4 : place + 6], "little")
        assert content[place + 6] == 1, "a record that goes over blocks"
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        record.ParseFromString(content[place + 7 : place + 7 + length])
        place += 7 + length
        if record.WhichOneof("record_type") == "history":
            row = {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }
            found[int(row["_step"])] = row["loss"]
    return found


def test_trackio_goes_on_in_the_same_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(folder / "trackio"))
    trackio = pytest.importorskip("trackio")
    logged(folder, "trackio")
    identity = json.loads((folder / "trackers.json").read_text())["trackio"]
    (run,) = trackio.Api().runs("nda")
    assert run.name == f"a run-{identity}"


@pytest.mark.parametrize("tracker", [name for name, package in PACKAGES.items() if package])
def test_a_missing_package_is_refused(tracker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    with pytest.raises(ConfigError) as refused:
        require_tracker(tracker)
    assert str(refused.value) == (
        f"--logger {tracker} needs the package {tracker}; install nda with its extra: "
        f"pip install 'nda-torch[{tracker}]'."
    )


def test_it_is_refused_before_there_is_a_run(
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert main(train(image_folder, tmp_path / "run", logger="wandb")) == 2
    assert "pip install 'nda-torch[wandb]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main(train(image_folder, tmp_path / "run", logger="neptune")) == 2
    assert "neptune" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_logs_to_the_tracker_that_is_asked_for(image_folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(train(image_folder, run, logger="csv")) == 0
    assert main(["resume", str(run), "--steps", "6"]) == 0
    with (run / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = RunFolder(run).log()
    assert [int(row["step"]) for row in rows] == [row["step"] for row in kept] == [1, 2, 3, 4, 5, 6]
    assert [float(row["loss_d"]) for row in rows] == [row["loss_d"] for row in kept]
    assert not (run / "tensorboard").exists()


def test_a_damaged_file_of_ids_begins_anew(folder: Path) -> None:
    pytest.importorskip("mlflow.tracking")
    (folder / "trackers.json").write_text("{")
    log = LogWriter(RunFolder(folder), last_step=0, logger="mlflow", config=CONFIG)
    log.close()
    assert json.loads((folder / "trackers.json").read_text())["mlflow"]
