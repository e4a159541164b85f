"""λ over a run: its schedules, the controller against the rule written out, and checkpoints."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nda.cli import main
from nda.errors import ConfigError
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.weight import Follower, scheduled_weight
from nda.recipes.numerosity.config import NumerosityConfig
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder
from tests.support.tiny_gan import build, take_step, tiny


def settings(**changes: Any) -> GanConfig:
    return GanConfig(data="data", out="run", steps=100, **changes)


@pytest.mark.parametrize(
    ("schedule", "weights"),
    [
        ("constant", {0: 0.25, 50: 0.25, 100: 0.25}),
        ("warmup", {0: 1.0, 6: 1.0, 28: 0.625, 50: 0.25, 100: 0.25}),
        ("fade", {0: 0.25, 6: 0.25, 28: 0.625, 50: 1.0, 100: 1.0}),
    ],
)
def test_schedules(schedule: Any, weights: dict[int, float]) -> None:
    config = settings(fake_weight_schedule=schedule)
    for step, weight in weights.items():
        assert scheduled_weight(config, step) == pytest.approx(weight)


def test_the_controller_keeps_to_its_rule() -> None:
    """Against the rule written out with plain numbers, on logits that wander."""
    rng = torch.Generator().manual_seed(0)
    fabric: Any = SimpleNamespace(
        world_size=2, device=torch.device("cpu"), all_reduce=lambda x, reduce_op: x
    )
    follower = Follower(250, fabric)
    w, a, b, went = 0.0, 0.5, 0.5, []
    for update in range(1, 241):
        real = torch.randn(16, generator=rng) + (2 if update < 80 or update > 160 else 0)
        negative = torch.randn(16, generator=rng) - (6 if update > 200 else 0)
        fake = torch.randn(16, generator=rng)
        follower.see(real, fake, negative)
        a = 0.9 * a + 0.1 * sum(map(bool, real > negative)) / 16
        b = 0.9 * b + 0.1 * sum(map(bool, real > fake)) / 16
        if update % 4 == 0:
            w += 0.1 if b >= 0.6 and a < 0.9 else -0.1  # 4 x 2 x 250 images of 20,000
            w = min(max(w, 0.0), 0.5)
        went.append(w)
        assert float(follower.weight) == pytest.approx(1 - w, abs=1e-5)
    logs = follower.logs
    assert float(logs["right_negative"]) == pytest.approx(a, abs=1e-5)
    assert float(logs["right_fake"]) == pytest.approx(b, abs=1e-5)
    assert {0.0, 0.5} <= {round(value, 6) for value in went}  # it went to both ends


def test_processes_average_what_they_see() -> None:
    fabric: Any = SimpleNamespace(
        world_size=2,
        device=torch.device("cpu"),
        all_reduce=lambda x, reduce_op: {"mean": (x + 1) / 2}[reduce_op],  # the other saw all
    )
    follower = Follower(8, fabric)
    follower.see(torch.zeros(4), torch.ones(4), torch.ones(4))
    assert follower.seen.tolist() == pytest.approx([0.5, 0.5])  # .9 x .5 + .1 x .5


def test_the_mixture_has_the_weight_of_the_moment(image_folder: Path) -> None:
    changes: dict[str, Any] = {"fake_weight_schedule": "follow", "objective": "wasserstein"}
    state = build(tiny(image_folder, d_steps=1, **changes))
    assert state.follower is not None
    state.follower.share = torch.tensor(0.3)
    logs = {name: value.detach() for name, value in take_step(state).items()}
    assert float(logs["fake_weight"]) == pytest.approx(0.7)
    real, fake, negative = (float(logs[f"d_{name}"]) for name in ("real", "fake", "negative"))
    expected = -real + 0.7 * fake + 0.3 * negative
    assert float(logs["loss_d"]) == pytest.approx(expected, rel=1e-4)


def run(image_folder: Path, out: Path, steps: str, *more: str) -> int:
    words = ["train", "gan", "--data", str(image_folder), "--out", str(out), "--steps", steps]
    small = ["--width", "4", "--latent_dim", "8", "--batch_size", "8", "--d_steps", "3"]
    ends = ["--log_every", "1", "--evaluation_samples", "12", "--device", "cpu"]
    return main([*words, *small, *ends, "--negative", "jigsaw", *more])


@pytest.mark.parametrize(
    "more",
    [
        ("--fake_weight_schedule", "follow"),
        ("--objective", "prior_corrected", "--zero_centred_penalty", "0.1"),
        ("--objective", "three_class"),
        ("--objective", "relativistic", "--zero_centred_penalty", "0.1"),
    ],
)
def test_a_resumed_run_goes_on_as_if_never_stopped(
    image_folder: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert run(image_folder, whole, "4", *more) == 0
    assert run(image_folder, halves, "2", *more) == 0
    assert main(["resume", str(halves), "--steps", "4"]) == 0
    one, other = (load_latest(RunFolder.open(each))["state"] for each in (whole, halves))
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    if "follow" in more:
        assert one["fake_weight"]["updates"] == 12
        assert "fake_weight" in RunFolder.open(whole).log()[-1]
    if "three_class" in more:
        assert "negative_class" in one
        probe = ["probe", str(whole), str(image_folder), "--json", str(tmp_path / "probe.json")]
        assert main(probe) == 0
        assert "negative class" in (tmp_path / "probe.json").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"negative_weight": -1.0}, "negative_weight is -1.0; it must be at least 0"),
        ({"negative_weight": 2.0}, "with --objective hinge give --fake_weight"),
        ({"zero_centred_penalty": float("nan")}, "zero_centred_penalty is nan"),
        ({"zero_centred_penalty": 1.0, "devices": 2}, "zero_centred_penalty differentiates twice"),
        ({"objective": "three_class", "negative": "none"}, "--objective logistic is the same game"),
        ({"objective": "three_class", "structure_head": 1.0}, "give --structure_head 0 or"),
        ({"objective": "three_class", "mixture": "sampled"}, "have a term of their own"),
        ({"objective": "relativistic", "fake_weight": 0.5}, "have a term of their own"),
        ({"objective": "prior_corrected", "negative": "none"}, "leaves it without"),
        ({"objective": "prior_corrected", "structure_head": 1.0}, "give --structure_head 0 or"),
        ({"objective": "prior_corrected", "fake_weight": 0.0}, "would correct by log 0"),
        ({"fake_weight_schedule": "warmup", "negative": "none"}, "there is no mixture"),
        ({"fake_weight_schedule": "fade", "structure_head": 1.0}, "there is no mixture"),
        ({"fake_weight_schedule": "follow", "objective": "relativistic"}, "there is no mixture"),
        ({"fake_weight_schedule": "follow", "mixture": "sampled"}, "needs --mixture weighted"),
        ({"fake_weight_schedule": "follow", "fake_weight": 0.5}, "follow sets it itself"),
    ],
    ids=str,
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(**changes).check()


@pytest.mark.parametrize(
    "changes", [{"objective": "three_class"}, {"fake_weight_schedule": "follow"}], ids=str
)
def test_numerosity_takes_them_without_its_own_fake_weight(changes: dict[str, Any]) -> None:
    config = NumerosityConfig(data="data", out="run", **changes)
    config.check()
    assert config.as_gan([5]).negative == "data"
    with pytest.raises(ConfigError, match=r"fake_weight"):
        NumerosityConfig(data="data", out="run", fake_weight=0.3, **changes).check()
