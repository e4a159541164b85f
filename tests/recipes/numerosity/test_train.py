"""The numerosity recipe: its data, its step, and a run from its first step to its figures."""

from __future__ import annotations

import dataclasses
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.data import to_float
from nda.errors import ConfigError, DataError, UserError
from nda.evaluation.counting.dots import count_dots
from nda.evaluation.record import Evaluation
from nda.recipes import RECIPES
from nda.recipes.gan import train as gan
from nda.recipes.gan.load import load_sampler
from nda.recipes.gan.train import Batch
from nda.recipes.numerosity import train as numerosity
from nda.recipes.numerosity.config import NumerosityConfig
from nda.recipes.numerosity.evaluate import evaluate
from nda.recipes.numerosity.train import NumerosityState
from nda.runtime.seeding import generator_for
from nda.training.checkpoint import load_checkpoint
from nda.training.engine import Run
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_numerosity import SIDE, build, tiny_numerosity, write_dots


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 images of one dot, 30 of two and 20 of three."""
    return write_dots(tmp_path_factory.mktemp("dots") / "dots.zip")


@pytest.fixture(scope="module")
def run(dots: Path, tmp_path_factory: pytest.TempPathFactory) -> Run[Any, Any]:
    """A trained and measured run."""
    finished = start(
        RECIPES["numerosity"].recipe(),
        tiny_numerosity(dots, tmp_path_factory.mktemp("runs") / "run"),
    )
    assert finished.train()
    finished.evaluate()
    return finished


def test_real_images_have_the_right_count_and_negatives_another(dots: Path) -> None:
    state = build(tiny_numerosity(dots))
    assert state.negative_counts == [1, 3]
    assert set(count_dots(state.gan.images).tolist()) == {2}
    assert set(count_dots(state.gan.splits.heldout.images).tolist()) == {2}
    assert state.gan.other is not None
    assert set(count_dots(state.gan.other).tolist()) == {1, 3}
    assert state.config.samples_per_step == 16


def test_negatives_may_be_chosen_and_may_come_from_elsewhere(dots: Path, tmp_path: Path) -> None:
    chosen = build(tiny_numerosity(dots, negative_counts="3"))
    assert chosen.gan.other is not None
    assert set(count_dots(chosen.gan.other).tolist()) == {3}
    other = write_dots(tmp_path / "other.zip", {4: 10, 2: 3}, seed=1)
    elsewhere = build(tiny_numerosity(dots, negative_data=str(other)))
    assert elsewhere.negative_counts == [4]
    assert elsewhere.gan.other is not None
    assert count_dots(elsewhere.gan.other).tolist() == [4] * 10
    plain = build(tiny_numerosity(dots, negative="none"))
    assert plain.negative_counts == []
    assert plain.gan.other is None
    assert len({state.data for state in (chosen, elsewhere, plain)}) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mixture": "sampled"},
        {"negative": "none"},
        {"joint_forward": False},
        {"objective": "logistic", "gradient_penalty": 0.0},
        {"objective": "hinge", "d_steps": 1},
        {"network": "wgan_gp", "resolution": 16, "width": 1},
        {"network": "dcgan_dense"},
    ],
    ids=str,
)
def test_every_setting_trains_both_networks(dots: Path, changes: dict[str, Any]) -> None:
    state = build(tiny_numerosity(dots, **changes))
    networks = (state.gan.generator.module, state.gan.discriminator.module)
    before = [[p.detach().clone() for p in network.parameters()] for network in networks]
    logs = numerosity.step(state, state.batch(0), generator_for(0, purpose="train"))
    assert all(value.isfinite() for value in logs.values())
    assert ("gradient_penalty" in logs) == bool(state.config.gradient_penalty)
    for old, network in zip(before, networks, strict=True):
        moved = [not torch.equal(a, b) for a, b in zip(old, network.parameters(), strict=True)]
        assert sum(moved) > 0.7 * len(moved)


def test_the_step_is_that_of_the_gan_on_the_same_images(dots: Path) -> None:
    config = tiny_numerosity(dots)
    state = build(config)
    other = gan.build(config.as_gan([1, 3]), state.gan.fabric)
    first = numerosity.step(state, state.batch(0), generator_for(0, purpose="train"))
    second = gan.step(other, other.batch(0), generator_for(0, purpose="train"))
    assert first == second


def test_a_stopped_run_goes_on_bit_by_bit(run: Run[Any, Any], dots: Path, tmp_path: Path) -> None:
    def step(state: NumerosityState, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        if state.step == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return numerosity.step(state, batch, rng)

    stopping = replace(RECIPES["numerosity"].recipe(), step=step)
    stopped = start(stopping, tiny_numerosity(dots, tmp_path / "run"))
    assert not stopped.train()
    assert stopped.state.step == 2
    resumed = resume(
        RECIPES["numerosity"].recipe(), NumerosityConfig, RunFolder.open(tmp_path / "run")
    )
    assert resumed.train()
    mine, whole = (load_checkpoint(each.folder.checkpoints / "latest") for each in (resumed, run))
    assert mine["step"] == whole["step"] == 4
    for part in ("generator", "discriminator", "ema"):
        for name, value in whole["state"][part].items():
            assert torch.equal(mine["state"][part][name], value), name
    for part in ("optimizer_g", "optimizer_d"):
        for index, moments in whole["state"][part]["state"].items():
            for name, value in moments.items():
                assert torch.equal(mine["state"][part]["state"][index][name], value), name


def test_figures_of_generated_images_stand_beside_those_of_real_ones(run: Run[Any, Any]) -> None:
    (fields,) = run.folder.evaluations()
    evaluation = Evaluation.from_dict(fields)
    metrics = {metric.name: metric for metric in evaluation.metrics}
    for name in ("exact", "mean_count", "hue_entropy", "position_entropy", "nearest_median"):
        one, other = metrics[f"generated_{name}"], metrics[f"real_{name}"]
        assert (one.table, one.column) == (other.table, other.column)
    assert metrics["real_exact"].value == 1.0
    assert metrics["real_mean_count"].value == 2.0
    protocol = metrics["generated_exact"].protocol
    assert protocol["generated_images"] == 20
    assert protocol["real_images"] == 3  # every tenth of 30
    assert protocol["right_count"] == 2
    assert "merged dots count once" in str(protocol["counter"])
    (histogram,) = evaluation.histograms
    assert sum(histogram.series["generated"]) == 20
    assert histogram.series["real"][2] == 3


def test_the_same_run_measures_the_same(run: Run[Any, Any]) -> None:
    again = resume(RECIPES["numerosity"].recipe(), NumerosityConfig, run.folder)
    assert evaluate(again.state).as_dict() == run.folder.evaluations()[0]
    sampler, checkpoint = load_sampler(run.folder)
    images = sampler.sample(5, seed=3)
    assert checkpoint["step"] == 4
    assert images.shape == (5, 3, SIDE, SIDE)
    assert torch.equal(images, run.state.gan.sampler.sample(5, seed=3))


def test_the_pictures_are_there(run: Run[Any, Any]) -> None:
    names = sorted(path.name for path in run.folder.samples.iterdir())
    steps = [f"step-{step:08d}.png" for step in (0, 2, 4)]
    assert names == ["nearest.png", "negatives.png", *steps]
    with Image.open(run.folder.samples / "negatives.png") as picture:
        assert picture.height == 3 * 100 + 4  # a row of real images, one a wrong count
    with Image.open(run.folder.samples / "nearest.png") as picture:
        assert picture.height > 8 * 100
        assert picture.width >= 4 * 100 + 4


def test_a_critic_that_is_shown_negatives_learns_to_tell_them(dots: Path) -> None:
    config = tiny_numerosity(dots, objective="logistic", gradient_penalty=0.0, width=8, lr_d=2e-3)
    state = build(dataclasses.replace(config, fake_weight=0.2, batch_size=16))
    for number in range(60):
        numerosity.step(state, state.batch(number), generator_for(0, step=number, purpose="train"))
    critic = state.gan.discriminator.module.eval()
    assert state.gan.other is not None
    with torch.no_grad():
        real, other = critic(to_float(state.gan.images)), critic(to_float(state.gan.other))
    assert (real[:, None] > other).double().mean() > 0.8  # AUROC


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"right_count": 6}, DataError, r"right_count is 6, and .* has images of 1, 2 and 3 obj"),
        ({"negative_counts": "3,4"}, ConfigError, r"images of 1, 2 and 3 objects, none of 4; leav"),
        ({"negative_data": "no-such.zip"}, DataError, r"There is no no-such\.zip"),
        ({"negative_data": "torchvision:CIFAR10"}, DataError, r"is not sorted by numbers of obj"),
        ({"resolution": 20}, ConfigError, r"must be a multiple of 8, not 20"),
        ({"batch_size": 99}, DataError, r"batch of 99 samples is larger than the data set of 27"),
    ],
    ids=str,
)
def test_refused(dots: Path, changes: dict[str, Any], error: type[UserError], message: str) -> None:
    with pytest.raises(error, match=message):
        build(tiny_numerosity(dots, **changes))


def test_data_of_one_count_alone_has_no_negatives(tmp_path: Path) -> None:
    data = write_dots(tmp_path / "two.zip", {2: 30})
    with pytest.raises(DataError, match=r"has no images of another number of objects than 2 to"):
        build(tiny_numerosity(data))
    assert build(tiny_numerosity(data, negative="none")).gan.other is None


def test_folders_that_are_no_counts_are_refused(image_folder: Path) -> None:
    with pytest.raises(DataError, match=r"has a folder 'dark', which is no count; name the fold"):
        build(tiny_numerosity(image_folder))


def test_a_run_of_another_recipe_is_not_taken_up(run: Run[Any, Any], tmp_path: Path) -> None:
    from nda.recipes.gan.config import GanConfig

    with pytest.raises(ConfigError, match="has a setting 'counter' that this version of nda does"):
        resume(RECIPES["gan"].recipe(), GanConfig, run.folder)
    with pytest.raises(ConfigError, match="is a run of numerosity, which has no setting 'incept"):
        resume(RECIPES["numerosity"].recipe(), NumerosityConfig, run.folder, inception_weights="x")
