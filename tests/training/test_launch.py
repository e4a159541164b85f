"""Devices by name, and the refusal of what is not there."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nda.errors import DeviceError
from nda.runtime.devices import choose_device
from nda.training.config import RunConfig
from nda.training.launch import launch


def config(**changes: Any) -> RunConfig:
    settings: dict[str, Any] = {"data": "data", "out": "run", "steps": 1, "device": "cpu"}
    return RunConfig(**(settings | changes))


def pretend_cards(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_the_processor_is_always_there() -> None:
    fabric = launch(config())
    assert fabric.device == torch.device("cpu")
    assert fabric.world_size == 1
    assert fabric.is_global_zero


def test_auto_takes_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cards(monkeypatch, 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    pretend_cards(monkeypatch, 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "meta", "CPU", ""])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(DeviceError, match=f"--device {name} is not known; give auto, cpu, cuda"):
        choose_device(name)


def test_absent_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cards(monkeypatch, 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"--device cuda was asked for, but torch sees 0 CUDA"):
        choose_device("cuda")
    with pytest.raises(DeviceError, match="--device mps was asked for, but it is not here"):
        choose_device("mps")
    pretend_cards(monkeypatch, 2)
    with pytest.raises(DeviceError, match=r"--device cuda:2 .* sees 2 CUDA"):
        choose_device("cuda:2")


def test_more_devices_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_cards(monkeypatch, 2)
    with pytest.raises(DeviceError, match="--devices 3 were asked for and 2 CUDA devices are here"):
        launch(config(device="cuda", devices=3))
    with pytest.raises(DeviceError, match="cuda:1 is a single card; give --device cuda"):
        launch(config(device="cuda:1", devices=2))


def test_several_machines_need_somebody_who_starts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DeviceError, match="--num_nodes 2 needs nda on each of 2 machines, started"):
        launch(config(num_nodes=2))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(
        DeviceError, match=r"torchrun started 3 processes, but --devices 2 .* make 4"
    ):
        launch(config(devices=2, num_nodes=2))
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    with pytest.raises(DeviceError, match=r"srun started 1 process, .* its --ntasks-per-node"):
        launch(config(devices=2))
    assert launch(config()).world_size == 1
    monkeypatch.setenv("SLURM_NTASKS", "4")
    with pytest.raises(DeviceError, match="4 tasks by --ntasks; ask by --ntasks-per-node"):
        launch(config())


def test_half_precision_on_the_processor_is_not_silently_another() -> None:
    with pytest.raises(DeviceError, match="16-mixed needs a CUDA device, not cpu; give bf16-mixed"):
        launch(config(precision="16-mixed"))
