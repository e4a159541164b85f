"""Real images beside their nulls: what each recipe takes a step of, resumes, and refuses."""

from __future__ import annotations

import copy
import shutil
from functools import partialmethod
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.data import to_float
from nda.errors import ConfigError
from nda.recipes import RECIPES
from nda.recipes.anomaly import train as anomaly
from nda.recipes.gan.config import GanConfig, Objective
from nda.recipes.gan.train import update_discriminator, update_generator
from nda.recipes.moco import train as moco
from nda.runtime.seeding import generator_for
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.each_recipe import data_for

SOFT = {"anomaly": "blemish:seam=feather"}
TINY: dict[str, dict[str, Any]] = {
    "gan": {"network": "dcgan", "width": 2, "batch_size": 4, "d_steps": 1,
            "evaluation_samples": 12},
    "anomaly": {"width": 8, "batch_size": 4, "resolution": 32},
    "moco": {"width": 8, "batch_size": 4, "bn_splits": 2, "queue_size": 4, "dim": 8},
}  # fmt: skip


def run_of(recipe: str, folder: Path, **changes: Any) -> Any:
    entry = RECIPES[recipe]
    soft = {"negative": SOFT.get(recipe, "jigsaw:seam=feather")}
    settings = data_for(recipe, folder) | {"steps": 2} | TINY[recipe] | soft | changes
    return start(entry.recipe(), entry.config_class()(**settings))


def step_of(recipe: str, folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """The scalars of the first step of a run."""
    run = run_of(recipe, folder, **changes)
    rng = generator_for(0, step=0, purpose="train", device=run.fabric.device)
    logs: dict[str, Tensor] = RECIPES[recipe].recipe().step(run.state, run.state.batch(0), rng)
    return logs


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def half_as(null: Tensor, x: Tensor, rng: torch.Generator) -> Tensor:
    """`x` shown as its nulls with probability one half."""
    chances = torch.rand(len(x), generator=rng).tolist()
    assert min(chances) < 0.5 < max(chances)
    return torch.stack([n if c < 0.5 else y for n, y, c in zip(null, x, chances, strict=True)])


def same_gradients(network: nn.Module, by_hand: nn.Module) -> None:
    for mine, its in zip(network.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("mixture", ["weighted", "sampled"])
@pytest.mark.parametrize("matched", ["shown", "consistency"])
def test_the_update_of_a_discriminator(matched: str, mixture: str, tmp_path: Path) -> None:
    state = run_of("gan", tmp_path, matched=matched, matched_weight=0.3, mixture=mixture).state
    generator, network = copy.deepcopy((state.generator.module, state.discriminator.module))
    images, labels = state.batch(0)
    real = to_float(images)
    logs = update_discriminator(state, real, labels, draws())

    rng = draws()  # the order of the draws: latents, negatives, who is shown as a null, the mixture
    fake = generator(torch.randn(4, 128, generator=rng), labels).detach()
    params = state.negative.draw(real, rng)
    null, negative = state.negative.null(real, params), state.negative.replay(real, params)
    if matched == "shown":
        real = half_as(null, real, rng)
    others = [(0.25, fake), (0.75, negative)]
    if mixture == "sampled":
        drawn = (torch.rand(4, generator=rng) < 0.25).view(-1, 1, 1, 1)
        others = [(1.0, torch.where(drawn, fake, negative))]
    extra = [null] if matched == "consistency" else []
    parts = [real, *(part for _, part in others), *extra]
    logits = network(torch.cat(parts), labels.repeat(len(parts))).split(4)
    loss = F.relu(1 - logits[0]).mean()
    for (weight, _), of_other in zip(others, logits[1:], strict=False):
        loss = loss + weight * F.relu(1 + of_other).mean()
    torch.testing.assert_close(logs["loss_d"], loss)
    if extra:
        squares = [(a - b) ** 2 for a, b in zip(logits[0], logits[-1], strict=True)]
        torch.testing.assert_close(logs["loss_matched"], torch.stack(squares).mean())
        loss = loss + 0.3 * torch.stack(squares).mean()
    loss.backward()
    same_gradients(state.discriminator.module, network)


@pytest.mark.parametrize("objective", ["three_class", "relativistic"])
@pytest.mark.parametrize("matched", ["shown", "consistency"])
def test_the_update_with_an_objective_of_its_own(
    matched: str, objective: str, tmp_path: Path
) -> None:
    """Of three classes it is how much of a negative they are that is held alike."""
    settings: dict[str, Any] = {"matched_weight": 0.3, "negative_weight": 0.5}
    state = run_of("gan", tmp_path, matched=matched, objective=objective, **settings).state
    generator, network = copy.deepcopy((state.generator.module, state.discriminator.module))
    images, labels = state.batch(0)
    real = to_float(images)
    logs = update_discriminator(state, real, labels, draws())

    rng = draws()
    fake = generator(torch.randn(4, 128, generator=rng), labels).detach()
    params = state.negative.draw(real, rng)
    null, negative = state.negative.null(real, params), state.negative.replay(real, params)
    if matched == "shown":
        real = half_as(null, real, rng)
    asked = {"classes": True} if objective == "three_class" else {}
    shown = torch.cat([real, fake, negative, null])
    of_real, of_fake, of_negative, of_null = network(shown, labels.repeat(4), **asked).split(4)
    if objective == "three_class":
        chances = [logits.softmax(dim=1) for logits in (of_real, of_fake, of_negative, of_null)]
        loss = -chances[0][:, 0].log().mean() - chances[1][:, 1].log().mean()
        loss = loss - 0.5 * chances[2][:, 2].log().mean()
        odds = [(1 / each[:, 2] - 1).log() for each in (chances[0], chances[3])]
    else:
        loss = -F.logsigmoid(of_real - of_fake).mean()
        loss = loss - 0.5 * F.logsigmoid(of_real - of_negative).mean()
        odds = [of_real, of_null]
    torch.testing.assert_close(logs["loss_d"], loss)
    if matched == "consistency":
        apart = ((odds[0] - odds[1]) ** 2).mean()
        torch.testing.assert_close(logs["loss_matched"], apart)
        loss = loss + 0.3 * apart
    loss.backward()
    same_gradients(state.discriminator.module, network)


@pytest.mark.parametrize("matched", ["none", "shown", "consistency"])
def test_generated_images_are_held_against_images_as_they_are_shown(
    matched: str, tmp_path: Path
) -> None:
    """By the relativistic objective, whose generator sees real images."""
    state = run_of("gan", tmp_path, matched=matched, objective="relativistic").state
    generator, network = copy.deepcopy((state.generator.module, state.discriminator.module))
    logs = update_generator(state, draws())

    rng = draws()  # the order of the draws: which images, latents, negatives, who is a null
    rows = torch.randint(len(state.images), (4,), generator=rng)
    fake = generator(torch.randn(4, 128, generator=rng), state.labels[rows])
    real = to_float(state.images[rows])
    if matched == "shown":
        real = half_as(state.negative.null(real, state.negative.draw(real, rng)), real, rng)
    of_fake, of_real = (network(images, state.labels[rows]) for images in (fake, real))
    loss = F.softplus(of_real.detach() - of_fake).mean()
    torch.testing.assert_close(logs["loss_g"], loss)
    loss.backward()
    same_gradients(state.generator.module, generator)


@pytest.mark.parametrize("matched", ["shown", "consistency"])
def test_the_loss_of_a_detector(matched: str, tmp_path: Path) -> None:
    """A null has no place that is not normal."""
    settings: dict[str, Any] = {"batch_size": 8, "matched_weight": 0.3, "positives": "none"}
    state = run_of("anomaly", tmp_path, matched=matched, **settings).state
    network = copy.deepcopy(state.network.module)
    batch = state.batch(0)
    logs = anomaly.step(state, batch, draws())

    normal, rng = to_float(batch), draws()
    params = state.negative.draw(normal, rng)
    null, negative = state.negative.null(normal, params), state.negative.replay(normal, params)
    if matched == "shown":
        normal = half_as(null, normal, rng)
    extra = [null] if matched == "consistency" else []
    logits = network(torch.cat([normal, negative, *extra])).split(8)
    target = F.avg_pool2d(state.negative.mask(normal, params), 4)[:, 0]
    loss = F.softplus(logits[0]).mean() / 2
    loss = loss + (F.softplus(logits[1]) - target * logits[1]).mean() / 2
    torch.testing.assert_close(logs["loss"], loss)
    if extra:
        loss = loss + 0.3 * ((logits[0] - logits[2]) ** 2).mean()
    loss.backward()
    same_gradients(state.network.module, network)


@pytest.mark.parametrize("matched", ["shown", "consistency"])
def test_the_step_of_an_encoder(matched: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "batch_size": 8,
        "queue_size": 8,
        "bn_splits": 1,
        "key_momentum": 1.0,
    }
    settings |= {"key_momentum": 1.0, "weight_decay": 0.0, "matched_weight": 0.3}
    state = run_of("moco", tmp_path, matched=matched, **settings).state
    network, average = copy.deepcopy((state.query.module, state.key))
    queue, batch, rng = state.queue.vectors.clone(), state.batch(0), draws()
    logs = moco.step(state, batch, draws())

    views = [state.views(batch, generator=rng) for _ in range(2)]
    if matched == "consistency":
        null = state.negative.null(views[0], state.negative.draw(views[0], rng))
        both = torch.stack([views[0], null], dim=1).flatten(0, 1)
        query, of_null = F.normalize(network(both), dim=1).view(8, 2, -1).unbind(1)
    else:
        query = F.normalize(network(views[0]), dim=1)
    shown = views[1]
    if matched == "shown":
        null = state.negative.null(views[1], state.negative.draw(views[1], rng))
        shown = half_as(null, views[1], rng)
    with torch.no_grad():
        made = state.negative(views[1], generator=rng)
        key, negative = F.normalize(average(torch.cat([shown, made])), dim=1).split(8)
    logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.T,
                        (query * negative).sum(1, keepdim=True)], dim=1) / 0.07  # fmt: skip
    loss = F.cross_entropy(logits, torch.zeros(8, dtype=torch.int64))
    torch.testing.assert_close(logs["loss"], loss)
    if matched == "consistency":
        loss = loss + 0.3 * (query - of_null).square().sum(dim=1).mean()
    loss.backward()
    same_gradients(state.query.module, network)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("recipe", TINY)
def test_a_step_of_either_way(recipe: str, precision: str, tmp_path: Path) -> None:
    found = {
        matched: step_of(recipe, tmp_path / matched, matched=matched, precision=precision)
        for matched in ("none", "shown", "consistency")
    }
    for logs in found.values():
        assert all(value.shape == () and value.isfinite() for value in logs.values())
    assert found["none"].keys() == found["shown"].keys()
    assert found["consistency"].keys() - found["none"].keys() == {"loss_matched"}
    assert float(found["consistency"]["loss_matched"].detach()) > 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of inductor
@pytest.mark.parametrize("recipe", TINY)
def test_a_compiled_step(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.compiler.reset()
    whole = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(whole, backend="aot_eager"))
    for matched in ("shown", "consistency"):
        plain = step_of(recipe, tmp_path / f"plain {matched}", matched=matched)
        compiled = step_of(recipe, tmp_path / matched, matched=matched, compile=True)
        assert compiled.keys() == plain.keys()
        for name, value in plain.items():
            atol = 1e-2 if name == "loss_g" else 1e-4  # after the discriminator's first by Adam
            torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=atol)


@pytest.mark.parametrize("matched", ["shown", "consistency"])
@pytest.mark.parametrize("recipe", TINY)
def test_a_resumed_run_is_the_same_run(recipe: str, matched: str, tmp_path: Path) -> None:
    whole = run_of(recipe, tmp_path / "whole", matched=matched)
    assert whole.train()
    part = run_of(recipe, tmp_path / "part", matched=matched)
    part._one_step()
    part.save()
    folders = [tmp_path / name / "run" for name in ("part", "whole")]
    again = resume(RECIPES[recipe].recipe(), type(part.config), RunFolder.open(folders[0]))
    assert again.train()
    mine, expected = (
        load_checkpoint(folder / "checkpoints" / "latest")["state"] for folder in folders
    )
    torch.testing.assert_close(mine, expected, rtol=0, atol=0)


@pytest.mark.parametrize("objective", get_args(Objective))
@pytest.mark.parametrize("matched", ["shown", "consistency"])
def test_every_objective_is_matched(objective: str, matched: str, tmp_path: Path) -> None:
    logs = step_of("gan", tmp_path, objective=objective, matched=matched)
    assert ("loss_matched" in logs) == (matched == "consistency")
    assert all(value.isfinite() for value in logs.values())


@pytest.mark.parametrize("recipe", TINY)
def test_nulls_that_show_nothing_are_refused(recipe: str, tmp_path: Path) -> None:
    for negative, remedy in (
        ("jigsaw", r"Its softened twin is jigsaw:seam=feather; or leave matched at none\."),
        ("horizontal_flip", r"It leaves no seam; leave matched at none\."),
        ("jigsaw:seam=poisson", r"It leaves no seam; leave matched at none\."),
    ):
        message = f"matched is shown, and the null of {negative} is the image itself.*{remedy}"
        with pytest.raises(ConfigError, match=message):
            run_of(recipe, tmp_path / negative, negative=negative, matched="shown")


@pytest.mark.parametrize("recipe", TINY)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matched_probability": 0.0}, "matched_probability is 0.0; it is the share of real"),
        ({"matched_probability": 1.0}, "matched_probability is 1.0; it is the share of real"),
        ({"matched_weight": 0.0}, "matched_weight is 0.0; it must be above 0"),
        ({"matched_probability": 0.3}, "matched_probability is 0.3, which without --matched does"),
        (
            {"matched_weight": 2.0},
            "matched_weight is 2.0, which without --matched does nothing; give",
        ),
        ({"matched_weight": float("inf")}, "matched_weight is inf; it must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(
    recipe: str, changes: dict[str, Any], message: str
) -> None:
    config = RECIPES[recipe].config_class()
    with pytest.raises(ConfigError, match=message):
        config(data="unused", out="unused", **changes).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"negative": "none"}, "matched is shown, and --negative none makes no negatives of the"),
        ({"negative": "data", "negative_data": "x"}, "matched is shown, and --negative data makes"),
        ({"structure_head": 1.0}, "matched is shown, and a structure head learns nulls"),
    ],
)
def test_a_gan_without_what_could_be_matched_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        GanConfig(data="unused", out="unused", matched="shown", **changes).check()


def test_a_detector_that_is_fitted_at_once_has_nothing_to_match() -> None:
    config = RECIPES["anomaly"].config_class()
    with pytest.raises(ConfigError, match="matched is shown, and --method gaussian learns from no"):
        config(data="unused", out="unused", method="gaussian", matched="shown").check()
