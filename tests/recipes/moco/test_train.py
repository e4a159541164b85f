"""The moco recipe: a step by hand, what enters the queue and when, and a whole training."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.errors import DataError
from nda.negatives import NEGATIVE_NAMES, Negative
from nda.negatives.base import Params
from nda.objectives.contrastive import nda_info_nce
from nda.recipes import RECIPES
from nda.recipes.moco import train as moco
from nda.recipes.moco.train import MocoState, learning_rate
from nda.runtime.seeding import generator_for
from nda.training.checkpoint import load_checkpoint
from nda.training.launch import launch
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_moco import tiny_moco

SCALARS = {"loss", "alignment", "uniformity", "spread", "cosine_key", "queue_age"}


def build(data: Path, **changes: Any) -> MocoState:
    config = tiny_moco(data, **changes)
    config.check()
    return moco.build(config, launch(config))


def draws(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("negative", ["none", *NEGATIVE_NAMES, "jigsaw+stitch"])
def test_every_negative_trains_the_encoder(image_folder: Path, negative: str) -> None:
    state = build(image_folder, negative=negative)
    before = [p.detach().clone() for p in state.query.module.parameters()]
    logs = moco.step(state, state.batch(0), draws())
    assert logs.keys() - {"cosine_negative"} == SCALARS
    assert ("cosine_negative" in logs) == (negative != "none")
    assert all(value.shape == () and value.isfinite() for value in logs.values())
    after = list(state.query.module.parameters())
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) > 0.9 * len(changed)


def test_weights_decay_by_their_rate(image_folder: Path) -> None:
    after = []
    for decay in (0.0, 0.25):
        state = build(image_folder, weight_decay=decay, lr=0.1)
        before = [p.detach().clone() for p in state.query.module.parameters()]
        moco.step(state, state.batch(0), draws())
        after.append([p.detach().clone() for p in state.query.module.parameters()])
    for plain, decayed, initial in zip(*after, before, strict=True):
        torch.testing.assert_close(decayed, plain - 0.1 * 0.25 * initial, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("splits", "weight"), [(1, 1.0), (2, 3.0)])
def test_a_step_is_the_published_one(image_folder: Path, splits: int, weight: float) -> None:
    """Query, momentum, keys and negatives in one forward, loss, and only then the queue.

    With several parts of batch norm, keys stand in another order than their queries meanwhile.
    """
    state = build(image_folder, bn_splits=splits, weight_decay=0.0, negative_weight=weight)
    network, average = copy.deepcopy(state.query.module), copy.deepcopy(state.key)
    queue = state.queue.vectors.clone()
    batch, generator = state.batch(0), draws()
    logs = moco.step(state, batch, draws())

    views = [state.views(batch, generator=generator) for _ in range(2)]
    query = F.normalize(network(views[0]), dim=1)
    with torch.no_grad():
        for mine, its in zip(average.parameters(), network.parameters(), strict=True):
            mine.copy_(0.9 * mine + 0.1 * its)
        assert state.negative is not None
        negative = state.negative(views[1], generator=generator)
        order = torch.arange(16)
        if splits > 1:
            agreed = generator_for(0, step=0, purpose="shuffle 16", device=torch.device("cpu"))
            order = torch.randperm(16, generator=agreed)
            parts = order.argsort().view(2, 8)  # where each sample went, keys in the first row
            assert set((parts[0] // 8).tolist()) == {0, 1}
        vectors = torch.empty(16, 12)
        shuffled = average(torch.cat([views[1], negative])[order])
        vectors[order] = F.normalize(shuffled, dim=1)
    key, made = vectors[:8], vectors[8:]
    total = torch.zeros(())
    for i in range(8):
        likeness = torch.exp(torch.cat([key[i : i + 1], queue, made[i : i + 1]]) @ query[i] / 0.07)
        total = total - (likeness[0] / (likeness[:-1].sum() + weight * likeness[-1])).log() / 8
    torch.testing.assert_close(logs["loss"], total)
    torch.autograd.backward(total)
    for mine, its in zip(state.query.module.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad, atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(state.queue.vectors[:8], key)
    assert torch.equal(state.queue.vectors[8:], queue[8:])


def test_negatives_never_enter_the_queue_of_keys(image_folder: Path) -> None:
    state = build(image_folder)
    for step in range(2):
        moco.step(state, state.batch(step), draws(step))
        state.step += 1
    assert state.queue.born.tolist() == [0] * 8 + [1] * 8


def test_a_queue_of_negatives_holds_those_of_a_part_of_the_batch(image_folder: Path) -> None:
    state = build(
        image_folder, negatives_from="queue", negative_fraction=0.25, negative_queue_size=8
    )
    assert state.negative_queue is not None
    seen = []
    for step in range(3):
        made = moco.negatives_for(state, torch.zeros(2, 12))
        assert made is not None
        seen.append(made.shape)
        moco.step(state, state.batch(step), draws(step))
        state.step += 1
    assert seen == [(10, 12)] * 3  # two fresh ones and the queue, for every query
    assert state.negative_queue.born.tolist() == [0, 0, 1, 1, 2, 2, -1, -1]


def test_all_negatives_of_the_batch_may_count_for_every_query(image_folder: Path) -> None:
    state = build(image_folder, negatives_from="batch", negatives_per_sample=2)
    made = torch.rand(16, 12)
    assert moco.negatives_for(state, made) is made
    own = moco.negatives_for(build(image_folder, negatives_per_sample=2), made)
    assert own is not None
    assert torch.equal(own[3], made[6:8])
    logs = moco.step(state, state.batch(0), draws())
    assert logs["loss"].isfinite()


@pytest.mark.parametrize(("source", "rows"), [("batch", 16), ("queue", 32)])
def test_negatives_for_all_are_those_of_all_processes(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch, source: Any, rows: int
) -> None:
    state = build(image_folder, negatives_from=source, negative_queue_size=16)
    for queue in filter(None, (state.queue, state.negative_queue)):
        queue.batch = 16
    compared = []

    def seen(*vectors: Any, **settings: Any) -> Tensor:
        compared.append(vectors[3])
        return nda_info_nce(*vectors, **settings)

    monkeypatch.setattr(moco, "nda_info_nce", seen)
    monkeypatch.setattr(moco, "all_gather", lambda x: torch.cat([x, -x]))  # of a second process
    moco.step(state, state.batch(0), draws())
    assert len(compared[0]) == rows
    assert torch.equal(compared[0][8:16], -compared[0][:8])


@pytest.mark.parametrize("negative", [*NEGATIVE_NAMES, "jigsaw+stitch"])
def test_no_negative_of_several_is_the_view_itself(image_folder: Path, negative: str) -> None:
    """Among copies of a sample, its partner to be mixed with could be one of them."""
    state = build(image_folder, negative=negative, negatives_per_sample=3)
    state.key = Kept()
    view = state.views(state.batch(0), generator=draws())
    for seed in range(10):
        key, made = moco.encode_keys(state, view, draws(seed))
        assert made is not None
        whose = key.repeat_interleave(3, dim=0)
        assert (whose - made).abs().amax(dim=1).min() > 1e-4


class Kept(nn.Module):
    """Pixels as vectors."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def test_a_joint_forward_gives_keys_and_negatives_common_statistics(image_folder: Path) -> None:
    """Apart, a batch norm hides from a negative that it is darker than its key."""
    means = {}
    for joint in (True, False):
        state = build(image_folder, joint_forward=joint, bn_splits=1)
        state.negative = Darker()
        norm = nn.BatchNorm2d(3, affine=False)
        state.key = nn.Sequential(norm, nn.AdaptiveAvgPool2d(4), nn.Flatten())
        view = state.views(state.batch(0), generator=draws())
        key, made = moco.encode_keys(state, view, draws())
        assert made is not None
        means[joint] = float((key * made).sum(dim=1).mean())
    assert means[False] == pytest.approx(1, abs=1e-4)
    assert means[True] < 0.9


class Darker(Negative):
    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        del x, generator
        return {}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        del params
        return 0.5 * x - 0.5


def test_the_learning_rate_falls_by_half_a_cosine() -> None:
    config = tiny_moco(Path("unused"), steps=100, lr=0.5)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == 0.5
    assert rates[50] == pytest.approx(0.25)
    assert rates[100] == pytest.approx(0)
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("extra", [{}, {"negatives_from": "queue", "negative_queue_size": 16}])
def test_a_resumed_run_is_the_same_run(
    image_folder: Path, tmp_path: Path, extra: dict[str, Any]
) -> None:
    whole = start(RECIPES["moco"].recipe(), tiny_moco(image_folder, tmp_path / "whole", **extra))
    assert whole.train()
    part = start(RECIPES["moco"].recipe(), tiny_moco(image_folder, tmp_path / "part", **extra))
    for _ in range(2):
        part._one_step()
    part.save()
    again = resume(RECIPES["moco"].recipe(), type(part.config), RunFolder.open(tmp_path / "part"))
    assert again.train()
    mine, expected = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest")["state"]
        for name in ("part", "whole")
    )
    assert mine.keys() == expected.keys()
    for part_name in mine.keys() - {"optimizer"}:
        for key, value in expected[part_name].items():
            assert torch.equal(mine[part_name][key], value), (part_name, key)
    for index, moments in expected["optimizer"]["state"].items():
        assert torch.equal(mine["optimizer"]["state"][index]["momentum_buffer"],
                           moments["momentum_buffer"])  # fmt: skip


def test_too_few_images_to_measure_are_refused_before_training(image_folder: Path) -> None:
    flat = image_folder / "train" / "dark"
    with pytest.raises(
        DataError, match=r"Only 2 images are held out \(.*, and measuring an encoder needs 4"
    ):
        build(flat, holdout=0.1)
