"""A small classifier is trained once, and kept as long as its origin and its facts hold."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nda.evaluation.small_classifier import Facts, Training, fit_one_cycle, guesses
from nda.runtime.sealed import save_tensors

LABELS = torch.arange(40) % 2
IMAGES = (LABELS.view(-1, 1, 1, 1) * 200).to(torch.uint8).expand(40, 3, 2, 2)


def build() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 2))


def fit(network: nn.Module) -> None:
    optimizer = torch.optim.SGD(network.parameters(), momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=21)
    batch: tuple[Tensor, Tensor] = (IMAGES / 127.5 - 1, LABELS)
    fit_one_cycle(network, optimizer, schedule, iter([batch] * 20), 20, "toy")


def measure(network: nn.Module) -> Facts:
    return {"right": int((guesses(network, IMAGES) == LABELS).sum()), "when": "now"}


def verify(network: nn.Module) -> Facts:
    return {"right": measure(network)["right"]}


TRAINING = Training("toy", "toy", ("right", "when"), build, fit, measure, verify)


def made(training: Training[nn.Sequential], path: Path, origin: str = "data 1") -> Facts:
    network, facts = training.result(origin, seed=3, device="cpu", cache_path=path)
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())
    return facts


def test_it_learns_and_is_kept_for_its_origin_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "toy.safetensors"
    assert made(TRAINING, path) == {"right": 40, "when": "now"}
    later = dataclasses.replace(TRAINING, measure=lambda _: {"right": 0, "when": "later"})
    assert made(later, path)["when"] == "now"
    assert made(later, path, "data 2")["when"] == "later"


def test_the_callers_random_state_and_the_seed_alone_matter(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    made(TRAINING, tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    made(TRAINING, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"right": 39, "when": "now"}, "its right is not what was kept"),
        ({"right": 40}, "'when'"),
        ({}, "'right'"),
    ],
)
def test_other_facts_are_damage_which_is_told_where_it_was_asked_for(
    tmp_path: Path, facts: Facts, why: str
) -> None:
    path = tmp_path / "toy.safetensors"
    network, _ = TRAINING.result("data 1", seed=3, device="cpu", cache_path=None)
    about = json.dumps({"origin": "data 1", **facts})
    path.write_bytes(save_tensors(dict(network.state_dict()), "toy", about))
    with pytest.warns(UserWarning, match=rf"damaged \({why}\); the toy is trained anew"):
        assert made(TRAINING, path)["right"] == 40
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(TRAINING, path)
