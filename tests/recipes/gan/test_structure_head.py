"""The GAN with a structure head: both updates by hand, every setting, checkpoints, refusals."""

from __future__ import annotations

import copy
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nda.cli import main
from nda.data import to_float
from nda.errors import ConfigError
from nda.negatives import negative_from_name
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.evaluate import gaps_of
from nda.recipes.gan.load import load_discriminator
from nda.recipes.gan.train import GanState, update_discriminator, update_generator
from nda.recipes.numerosity.config import NumerosityConfig
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder
from tests.support.tiny_gan import build, changed, take_step, tiny, weights

FEATHER = "jigsaw:seam=feather"
HEAD: dict[str, Any] = {"negative": FEATHER, "structure_head": 0.7}
LOGGED = {"loss_d", "loss_structure", "structure_right", "d_real", "d_fake", "loss_g"}


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, set()),
        ({"structure_generator": 0.5}, {"loss_structure_g"}),
        ({"joint_forward": False}, set()),
        ({"conditional": True, "structure_generator": 0.5}, {"loss_structure_g"}),
        ({"negative": "data", "classes": "dark", "negative_classes": "light"}, set()),
        ({"negative": "jigsaw+stitch", "positives": "horizontal_flip"}, set()),
        ({"objective": "logistic", "network": "dcgan", "width": 2}, set()),
        ({"network": "dcgan_dense", "width": 2}, set()),
        (
            {"network": "wgan_gp", "width": 1, "objective": "wasserstein", "gradient_penalty": 10.0,
             "structure_generator": 0.5},
            {"gradient_penalty", "loss_structure_g"},
        ),
        ({"precision": "bf16-mixed", "structure_generator": 0.5}, {"loss_structure_g"}),
    ],
)  # fmt: skip
def test_every_setting_trains_both_networks_and_the_head(
    image_folder: Path, changes: dict[str, Any], more: set[str]
) -> None:
    state = build(tiny(image_folder, **HEAD | changes))
    generator, two = state.generator.module, state.discriminator.module
    before_g, before_d, before_head = weights(generator), weights(two), weights(two.head)
    for _ in range(2):
        logs = take_step(state)
        assert logs.keys() == LOGGED | more
        assert all(value.shape == () and value.isfinite() for value in logs.values())
    assert 0 <= float(logs["structure_right"]) <= 1
    assert sum(changed(before_g, generator)) > 0.7 * len(before_g)
    assert sum(changed(before_d, two)) > 0.7 * len(before_d)
    assert all(changed(before_head, two.head))


def test_without_the_head_weights_begin_the_same(image_folder: Path) -> None:
    with_head, without = build(tiny(image_folder, **HEAD)), build(tiny(image_folder))
    for part in ("generator", "discriminator"):
        one, other = with_head.saved[part].state_dict(), without.saved[part].state_dict()
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def real_batch(state: GanState) -> tuple[Tensor, Tensor]:
    images, labels = state.batch(0)
    return to_float(images[:8]), labels[:8]


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("joint", [True, False])
def test_the_discriminators_update_is_the_plain_gans_plus_the_heads(
    image_folder: Path, joint: bool
) -> None:
    state = build(tiny(image_folder, conditional=True, joint_forward=joint, **HEAD))
    generator, two = copy.deepcopy((state.generator.module, state.discriminator.module))
    real, labels = real_batch(state)
    logs = update_discriminator(state, real, labels, draws())

    same = draws()  # the order of the draws: latents, then negatives
    fake = generator(torch.randn(8, 8, generator=same), labels).detach()
    negative = negative_from_name(FEATHER)
    params = negative.draw(real, same)
    parts = [real, fake, negative.replay(real, params), negative.null(real, params)]
    if joint:
        both = two(torch.cat(parts), labels.repeat(4), structure=True)
        logits, whole = (one.split(8) for one in both)
    else:
        logits, whole = zip(*(two(part, labels, structure=True) for part in parts), strict=True)
    game, head = torch.zeros(()), torch.zeros(())
    for i in range(8):
        game = game + ((1 - logits[0][i]).clamp(min=0) + (1 + logits[1][i]).clamp(min=0)) / 8
        head = head + (1 + whole[2][i].exp()).log() / 8
        head = head + (1 + (-whole[0][i]).exp()).log() / 16 + (1 + (-whole[3][i]).exp()).log() / 16
    torch.autograd.backward(game + 0.7 * head)
    torch.testing.assert_close(logs["loss_d"], game)
    torch.testing.assert_close(logs["loss_structure"], head)
    right = sum(float(whole[3][i] > whole[2][i]) for i in range(8)) / 8
    assert float(logs["structure_right"]) == right
    for mine, hand in zip(state.discriminator.module.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, hand.grad)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_generators_update_is_the_plain_gans_plus_what_the_head_holds(
    image_folder: Path, weight: float
) -> None:
    state = build(tiny(image_folder, structure_generator=weight, **HEAD))
    two = state.discriminator.module
    before, twins = weights(two), copy.deepcopy((state.generator.module, two))
    logs = update_generator(state, draws())
    assert not any(changed(before, two))
    assert all(p.requires_grad and p.grad is None for p in two.parameters())

    same = draws()  # the order of the draws: labels, then latents
    torch.randint(40, (8,), generator=same)
    generator, critic = twins
    logits, whole = critic(generator(torch.randn(8, 8, generator=same)), structure=True)
    owed = (1 + (-whole).exp()).log().mean()
    torch.testing.assert_close(logs["loss_g"], -logits.mean())
    assert ("loss_structure_g" in logs) == bool(weight)
    torch.autograd.backward(-logits.mean() + weight * owed)
    for mine, hand in zip(state.generator.module.parameters(), generator.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, hand.grad)


def test_the_penalty_lies_between_real_and_generated_images(image_folder: Path) -> None:
    state = build(tiny(image_folder, gradient_penalty=10.0, **HEAD))
    generator, two = copy.deepcopy((state.generator.module, state.discriminator.module))
    real, labels = real_batch(state)
    logs = update_discriminator(state, real, labels, draws())
    same = draws()  # the order of the draws: latents, negatives, places between
    fake = generator(torch.randn(8, 8, generator=same), labels).detach()
    negative_from_name(FEATHER).draw(real, same)
    two(real)  # spectral norm moves with every forward
    share = torch.rand(8, generator=same)[:, None, None, None]
    point = (real + share * (fake - real)).requires_grad_()
    (slope,) = torch.autograd.grad(two(point).sum(), point)
    expected = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(logs["gradient_penalty"], expected)


def words(image_folder: Path, out: Path, **more: str) -> list[str]:
    """A run of eight small images a step, on the command line."""
    options = {
        "width": "4", "latent_dim": "8", "batch_size": "8", "d_steps": "1", "log_every": "1",
        "evaluation_samples": "12", "negative": FEATHER, "structure_head": "1",
        "structure_generator": "0.5", "device": "cpu",
    } | more  # fmt: skip
    named = [word for name, value in options.items() for word in (f"--{name}", value)]
    return ["train", "gan", "--data", str(image_folder), "--out", str(out), *named]


def losses(folder: Path) -> list[dict[str, float]]:
    clocks = {"seconds", "images_per_second", "peak_memory_mib"}
    log = RunFolder.open(folder).log()
    return [{name: row[name] for name in row if name not in clocks} for row in log]


def test_gaps_are_those_of_the_head_which_alone_has_seen_negatives(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = build(tiny(image_folder, **HEAD))
    network = state.discriminator.module
    monkeypatch.setattr(network.head, "forward", lambda features: 0 * features[:, 0])
    images = state.splits.heldout.images
    metrics, _ = gaps_of(state, images, torch.zeros(len(images), dtype=torch.long))
    assert {metric.protocol["output"] for metric in metrics} == {"structure head"}
    assert {metric.value for metric in metrics} == {0.0}


def test_a_resumed_run_goes_on_as_if_never_stopped(image_folder: Path, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert main(words(image_folder, whole, steps="4")) == 0
    assert main(words(image_folder, halves, steps="2")) == 0
    assert main(["resume", str(halves), "--steps", "4"]) == 0
    assert losses(halves) == losses(whole)
    one, other = (load_latest(RunFolder.open(each))["state"] for each in (whole, halves))
    assert "structure_head" in one
    for part in ("discriminator", "structure_head", "ema"):
        assert all(torch.equal(one[part][name], other[part][name]) for name in one[part])
    # The adversarial head is read as that of any other run.
    assert load_discriminator(RunFolder.open(whole))(torch.rand(2, 3, 32, 32)).shape == (2,)
    assert (whole / "samples" / "negatives.png").is_file()
    assert main(["sample", str(whole), "--count", "4", "--out", str(tmp_path / "four.png")]) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of dynamo
def test_it_compiles(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = torch.nn.Module.compile  # the graphs as they are traced: C++ takes a minute
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(whole, backend="aot_eager"))
    settings = HEAD | {"structure_generator": 0.5}
    plain = build(tiny(image_folder, **settings))
    compiled = build(tiny(image_folder, compile=True, **settings))
    for _ in range(2):
        expected, found = take_step(plain), take_step(compiled)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structure_head": -1.0}, "structure_head is -1.0; it must be at least 0"),
        ({"structure_head": float("inf")}, "structure_head is inf; it must be at least 0"),
        ({"structure_generator": 0.5}, "there is no structure head to judge"),
        ({"structure_head": 1.0, "negative": "none"}, "leaves it nothing to learn"),
        ({"structure_head": 1.0, "mixture": "sampled"}, r"mixture \(sampled\) and fake_weight"),
        ({"structure_head": 1.0, "fake_weight": 0.5}, r"fake_weight \(0.5\) say how negatives"),
    ],
    ids=str,
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GanConfig(data="data", out="run", **changes).check()


def test_numerosity_takes_it_without_its_own_fake_weight() -> None:
    config = NumerosityConfig(data="data", out="run", structure_head=1.0)
    config.check()
    gan = config.as_gan([5, 7])
    assert (gan.structure_head, gan.negative) == (1.0, "data")
    with pytest.raises(ConfigError, match=r"fake_weight \(0.3\)"):
        NumerosityConfig(data="data", out="run", structure_head=1.0, fake_weight=0.3).check()
