"""Runs on shards too large to be held: the runs on the folder, bit by bit, also when resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from nda.data import load_images
from nda.data.reading.on_demand import OnDemand
from nda.recipes import RECIPES
from nda.recipes.linear_probe.config import LinearProbeConfig
from nda.training.batches import batches_of_run, drawn
from nda.training.checkpoint import load_checkpoint
from nda.training.config import RunConfig
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.made_encoder import write_encoder_run
from tests.support.made_shards import decode_on_demand, write_set
from tests.support.tiny_anomaly import tiny_anomaly
from tests.support.tiny_gan import tiny
from tests.support.tiny_moco import tiny_moco
from tests.support.tiny_numerosity import tiny_numerosity

STEPS = 4
TIMES = ("seconds", "images_per_second", "peak_memory_mib")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards and, beside them, the folder that they are of."""
    return write_set(tmp_path_factory.mktemp("made"), train=80, test=20)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder_run(tmp_path_factory.mktemp("encoders") / "moco")


def probe(data: Path, out: Path, encoder: Path) -> LinearProbeConfig:
    return LinearProbeConfig(
        data=str(data), out=str(out), encoder=str(encoder), steps=STEPS, batch_size=8,
        validation=0.25, augment=True, log_every=1, checkpoint_every=2, device="cpu",
    )  # fmt: skip


CONFIGS: dict[str, Callable[[Path, Path, Path], Any]] = {
    "gan": lambda data, out, _: tiny(
        data, out, resolution=16, network="dcgan", steps=STEPS, checkpoint_every=2
    ),
    "moco": lambda data, out, _: tiny_moco(data, out),
    "anomaly": lambda data, out, _: tiny_anomaly(data, out, resolution=16, method="negatives"),
    "numerosity": lambda data, out, _: tiny_numerosity(data, out, resolution=16, log_every=1),
    "linear-probe": probe,
}


def rows_of(out: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in row if name not in TIMES} for row in rows]


def weights(out: Path, step: int) -> dict[str, Any]:
    state = load_checkpoint(out / f"checkpoints/step-{step:08d}.pt")["state"]
    return {name: part for name, part in state.items() if name != "encoder"}  # what it came from


@pytest.mark.parametrize("name", CONFIGS)
def test_a_run_on_shards_is_the_run_on_the_folder(
    name: str, made: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIGS[name]
    plain = start(
        RECIPES[name].recipe(), config(made.parent / "images", tmp_path / "plain", encoder)
    )
    plain.train()
    decode_on_demand(monkeypatch)
    shards = start(RECIPES[name].recipe(), config(made, tmp_path / "shards", encoder))
    state = getattr(shards.state, "gan", shards.state)
    assert type(getattr(state, "images", None)) is OnDemand or type(state.inputs) is OnDemand
    shards.train()
    assert len(rows_of(tmp_path / "plain")) == STEPS
    assert rows_of(tmp_path / "shards") == rows_of(tmp_path / "plain")
    torch.testing.assert_close(
        weights(tmp_path / "shards", STEPS), weights(tmp_path / "plain", STEPS), rtol=0, atol=0
    )


@pytest.mark.parametrize("name", ["gan", "moco"])
def test_a_killed_run_resumes_as_if_unbroken(
    name: str, made: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_on_demand(monkeypatch)
    config = CONFIGS[name]
    whole = start(RECIPES[name].recipe(), config(made, tmp_path / "whole", encoder))
    whole.train()
    killed = start(RECIPES[name].recipe(), config(made, tmp_path / "killed", encoder))
    taken = killed.state.batch

    def batch(step: int) -> Any:
        if step == 3:
            raise KeyboardInterrupt  # after the checkpoint of step 2, with batches decoded ahead
        return taken(step)

    monkeypatch.setattr(killed.state, "batch", batch)
    with pytest.raises(KeyboardInterrupt):
        killed.train()
    again = resume(
        RECIPES[name].recipe(), RECIPES[name].config_class(), RunFolder(tmp_path / "killed")
    )
    assert again.state.step == 2
    again.train()
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")
    torch.testing.assert_close(
        weights(tmp_path / "killed", STEPS), weights(tmp_path / "whole", STEPS), rtol=0, atol=0
    )


def test_processes_take_images_of_their_own_and_together_each_once(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_on_demand(monkeypatch)
    images = load_images(made).images
    plain = load_images(made.parent / "images").images
    config = RunConfig(data="unused", out="unused", steps=1, batch_size=8)
    device = torch.device("cpu")
    seen: list[int] = []
    for rank in range(2):
        batches = batches_of_run(images, config, Mock(global_rank=rank, world_size=2))
        for step in range(5):
            rows = batches.indices(step)
            assert torch.equal(drawn(images, rows, device), plain[rows])
            seen += rows.tolist()
    assert sorted(seen) == list(range(80))
