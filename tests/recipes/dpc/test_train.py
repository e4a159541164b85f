"""The dpc recipe: one step against its loss by hand, its draws, and a whole training."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nda.data.clips.batches import in_blocks
from nda.errors import ConfigError, ShapeError
from nda.negatives import NEGATIVE_NAMES
from nda.objectives.dense_predictive import dense_predictive
from nda.recipes import RECIPES
from nda.recipes.dpc import train as dpc
from nda.recipes.dpc.evaluate import draw_samples
from nda.recipes.dpc.train import DpcState
from nda.training.checkpoint import load_checkpoint
from nda.training.launch import launch
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_video import tiny_dpc, write_videos

ACCURACIES = {"top1", "top3", "top5", "over_temporal", "over_spatial", "over_easy"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_videos(tmp_path_factory.mktemp("videos") / "squares")


def build(data: Path, **changes: Any) -> DpcState:
    config = tiny_dpc(data, **changes)
    config.check()
    return dpc.build(config, launch(config))


def draws(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("negative", [*NEGATIVE_NAMES, "blemish+jigsaw"])
def test_every_negative_trains_the_network(videos: Path, negative: str) -> None:
    state = build(videos, negative=negative, resolution=32)
    before = [p.detach().clone() for p in state.network.module.parameters()]
    logs = dpc.step(state, state.batch(0), draws())
    assert logs.keys() == {"loss", "over_nda"} | ACCURACIES - {"over_spatial"}
    assert all(value.shape == () and value.isfinite() for value in logs.values())
    after = list(state.network.module.parameters())
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) > 0.9 * len(changed)


def test_without_a_negative_no_cells_of_one_are_compared(videos: Path) -> None:
    logs = dpc.step(state := build(videos, negative="none"), state.batch(0), draws())
    assert logs.keys() == {"loss"} | ACCURACIES


@pytest.mark.parametrize("negatives_from", ["own", "all"])
def test_the_update_is_a_cross_entropy_cell_by_cell(videos: Path, negatives_from: str) -> None:
    state = build(videos, negatives_from=negatives_from, temperature=2.0, dropout=0.0)
    network = copy.deepcopy(state.network.module)
    batch = state.batch(0)
    logs = dpc.step(state, batch, draws())

    generator = draws()
    assert state.negative is not None
    clips = state.views(batch, generator=generator)
    made = state.negative(clips[:, -4:], generator=generator)
    blocks = torch.stack([clips[:, 2 * n : 2 * n + 2].transpose(1, 2) for n in range(4)], 1)
    last = torch.stack([made[:, 2 * n : 2 * n + 2].transpose(1, 2) for n in range(2)], 1)
    predicted, target, negative = network(blocks, last)  # (4, 2, 32, 2, 2)
    losses: list[Tensor] = []
    for clip in range(4):
        others = negative if negatives_from == "all" else negative[clip : clip + 1]
        columns = torch.cat([x.permute(0, 1, 3, 4, 2).reshape(-1, 32) for x in (target, others)])
        for block in range(2):
            for i in range(2):
                for j in range(2):
                    scores = columns @ predicted[clip, block, :, i, j] / 2.0
                    own = target[clip, block, :, i, j] @ predicted[clip, block, :, i, j] / 2.0
                    losses.append(scores.logsumexp(0) - own)
    loss = torch.stack(losses).mean()
    torch.testing.assert_close(logs["loss"], loss)
    torch.autograd.backward(loss)
    for mine, hand in zip(state.network.module.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, hand.grad, atol=1e-5, rtol=1e-3)


def test_a_process_finds_its_own_clips_among_those_of_all(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two processes, whose targets stand behind those of the first."""
    alone = build(videos, negative="none", dropout=0.0)
    expected = copy.deepcopy(alone.network.module)
    batch = alone.batch(0)
    clips = alone.views(batch, generator=draws())
    predicted, target, _ = expected(in_blocks(clips, 2))
    others = torch.flip(target, [0]).detach()
    loss = dense_predictive(predicted, torch.cat([others, target]), first=4)

    monkeypatch.setattr(dpc, "all_gather", lambda x: torch.cat([x.flip(0).detach(), x]))
    monkeypatch.setattr(type(alone.fabric), "global_rank", 1)
    logs = dpc.step(alone, batch, draws())
    torch.testing.assert_close(logs["loss"], loss)


def test_all_frames_of_a_negative_clip_share_its_parameters(videos: Path) -> None:
    state = build(videos)
    assert state.negative is not None
    numbers = torch.arange(4.0)[None, :, None, None, None]
    clip = torch.arange(64 * 64.0).view(1, 1, 1, 64, 64) + 10_000 * numbers
    made = state.negative(clip.expand(2, 4, 3, 64, 64), generator=draws())
    for frame in range(1, 4):
        assert torch.equal(made[:, frame], made[:, 0] + 10_000 * frame)


def test_a_step_sees_the_same_clips_whenever_it_is_asked(videos: Path) -> None:
    state, other = build(videos), build(videos)
    in_order = [state.batch(step) for step in range(3)]
    assert torch.equal(other.batch(2), in_order[2])
    assert torch.equal(state.batch(0), in_order[0])
    assert in_order[0].shape == (4, 8, 3, 64, 64)
    assert in_order[0].dtype == torch.uint8
    assert not torch.equal(in_order[0], in_order[2])  # another epoch draws other places


def test_a_resumed_run_is_the_same_run(videos: Path, tmp_path: Path) -> None:
    whole = start(RECIPES["dpc"].recipe(), tiny_dpc(videos, tmp_path / "whole"))
    assert whole.train()
    part = start(RECIPES["dpc"].recipe(), tiny_dpc(videos, tmp_path / "part"))
    for _ in range(2):
        part._one_step()
    part.save()
    again = resume(RECIPES["dpc"].recipe(), type(part.config), RunFolder.open(tmp_path / "part"))
    assert again.state.step == 2
    assert again.train()
    mine, expected = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest")["state"]
        for name in ("part", "whole")
    )
    for part_name in ("encoder", "predictor"):
        for key, value in expected[part_name].items():
            assert torch.equal(mine[part_name][key], value), key
    for index, moments in expected["optimizer"]["state"].items():
        for key, value in moments.items():
            assert torch.equal(mine["optimizer"]["state"][index][key], value), (index, key)


@pytest.mark.slow
def test_training_lowers_the_loss(videos: Path, tmp_path: Path) -> None:
    run = start(RECIPES["dpc"].recipe(), tiny_dpc(videos, tmp_path / "run", steps=40, lr=3e-3))
    assert run.train()
    losses = [row["loss"] for row in run.folder.log()]
    assert sum(losses[-10:]) / 10 < 0.8 * sum(losses[:5]) / 5


def test_evaluation_tells_what_is_found_among_which_cells(videos: Path, tmp_path: Path) -> None:
    run = start(RECIPES["dpc"].recipe(), tiny_dpc(videos, tmp_path / "run", negative="cutmix"))
    draw_samples(run.state, run.folder)
    assert (run.folder.samples / "negatives.png").is_file()
    found = run.evaluate()
    metrics = {metric.name: metric for metric in found.metrics}
    assert [name for name in metrics if name.startswith("dpc")] == [
        "dpc_loss", "dpc_top1", "dpc_top3", "dpc_top5", "dpc_over_temporal", "dpc_over_spatial",
        "dpc_over_easy", "dpc_over_jigsaw", "dpc_over_cutmix",
    ]  # fmt: skip
    assert found.notes == []
    chances = {name: m.value for name, m in metrics.items() if name.startswith("chance")}
    assert chances == pytest.approx(
        {
            "chance_over_temporal": 1 / 2,
            "chance_over_spatial": 1 / 7,
            "chance_over_easy": 1 / 41,  # 6 videos of 8 cells
            "chance_over_jigsaw": 1 / 9,
            "chance_over_cutmix": 1 / 9,
        }
    )
    assert metrics["dpc_top1"].protocol["videos"] == (
        "6, of which 2 with fewer than 8 frames are looped"
    )
    assert metrics["dpc_top1"].protocol["among"] == "48 real cells"
    assert 0 < metrics["dpc_loss"].value < 10 * math.log(48)
    assert run.evaluate() == found  # nothing in it depends on what was drawn before
    assert run.state.network.module.training


def test_a_negative_that_cannot_take_the_clips_is_refused(videos: Path) -> None:
    with pytest.raises(ShapeError, match="jigsaw cannot cut images of 64 x 64"):
        build(videos, negative="jigsaw:grid=5")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predict": 4}, "predict is 4, but a clip has 4 blocks; give fewer"),
        ({"negative": "data"}, "--negative data is not for dpc, whose negatives are made of"),
        ({"width": 0}, "width is 0; it must be at least 1"),
        ({"predict": 0}, "predict is 0; it must be at least 1"),
        ({"lr": float("nan")}, "lr is nan; it must be above 0"),
        ({"temperature": 0.0}, "temperature is 0.0; it must be above 0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be at least 0"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be at least 0 and below 1"),
        ({"resolution": None}, "resolution is not set; give the side of the frames"),
        ({"resolution": 16}, "resolution is 16; it must be at least 32"),
        ({"stride": 0}, "stride is 0; it must be at least 1"),
        ({"batch_size": 1}, "batch_size is 1; it must be at least 2"),
        ({"grey": 1.5}, "grey is 1.5; it must lie between 0 and 1"),
        ({"crop_low": 0.0}, "crop_low is 0.0; it must be above 0 and at most 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_dpc(Path("unused"), **changes).check()
