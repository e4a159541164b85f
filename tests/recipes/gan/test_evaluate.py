"""A GAN from its first step to its figures, interrupted or not."""

from __future__ import annotations

import math
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from nda.recipes import RECIPES
from nda.recipes.gan import train as gan
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.evaluate import PAPERS_NEGATIVES, draw_negatives, evaluate
from nda.recipes.gan.load import load_sampler
from nda.recipes.gan.train import Batch, GanState
from nda.training.checkpoint import load_checkpoint
from nda.training.engine import Run
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_gan import build, take_step, tiny

# Every draw there is: labels, latents, negatives, the mixture, positives and the penalty.
EVERY_DRAW: dict[str, Any] = {
    "steps": 6,
    "log_every": 4,
    "sample_every": 3,
    "conditional": True,
    "negative": "jigsaw+cutmix",
    "mixture": "sampled",
    "positives": "random_crop",
    "gradient_penalty": 1.0,
    "ema_start": 2,
}


@pytest.fixture(scope="module")
def run(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run[Any, Any]:
    """A trained and measured run."""
    finished = start(
        RECIPES["gan"].recipe(),
        tiny(image_folder, tmp_path_factory.mktemp("gan") / "run", **EVERY_DRAW),
    )
    assert finished.train()
    finished.evaluate()
    return finished


def test_the_figures_carry_their_protocol(run: Run[Any, Any]) -> None:
    (evaluation,) = run.folder.evaluations()
    assert evaluation["step"] == 6
    metrics = {metric["name"]: metric for metric in evaluation["metrics"]}
    names = ("jigsaw+cutmix", *PAPERS_NEGATIVES)
    gaps = {f"gap{part}_{name}" for name in names for part in ("", "_std", "_positive")}
    assert metrics.keys() == gaps | {"classifier_frechet"}
    assert all(math.isfinite(metric["value"]) for metric in metrics.values())
    protocol = metrics["classifier_frechet"]["protocol"]
    assert protocol["split"] == "test split"
    assert protocol["weights"] == "moving average 0.5 from step 2"
    assert protocol["batch_norm"] == "standing statistics of 16 batches of 64"
    assert (protocol["real_images"], protocol["generated_images"]) == (12, 12)
    assert metrics["gap_stitch"]["protocol"]["negative"] == "stitch"
    assert [each["name"] for each in evaluation["histograms"]] == [f"gap_{name}" for name in names]
    for histogram in evaluation["histograms"]:
        assert sum(histogram["series"]["real"]) == sum(histogram["series"]["negative"]) == 12
    taken, note = evaluation["notes"]
    assert taken.endswith("are taken; passed over: 20 of split test.")
    assert note.startswith("FID, KID, Inception score")
    assert "--inception_weights" in note


def test_the_pictures_are_there(run: Run[Any, Any]) -> None:
    names = sorted(path.name for path in run.folder.samples.iterdir())
    assert names == ["negatives.png", *(f"step-{step:08d}.png" for step in (0, 3, 6))]
    for name in names:
        with Image.open(run.folder.samples / name) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 64


def assert_same_bits(one: Any, other: Any, place: str) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for name in one:
            assert_same_bits(one[name], other[name], f"{place}.{name}")
    elif isinstance(one, list | tuple):
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same_bits(*pair, f"{place}[{index}]")
    elif isinstance(one, Tensor):
        assert torch.equal(one, other), place
    else:
        assert one == other, place


def test_a_stopped_run_goes_on_bit_by_bit(
    run: Run[Any, Any], image_folder: Path, tmp_path: Path
) -> None:
    def step(state: GanState, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        if state.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return gan.step(state, batch, rng)

    stopping = replace(RECIPES["gan"].recipe(), step=step)
    stopped = start(stopping, tiny(image_folder, tmp_path / "run", **EVERY_DRAW))
    assert not stopped.train()
    assert stopped.state.step == 3
    torch.manual_seed(99)  # whatever the global state is, the run does not depend on it
    resumed = resume(RECIPES["gan"].recipe(), GanConfig, RunFolder.open(tmp_path / "run"))
    assert resumed.train()

    mine, expected = (
        load_checkpoint(each.folder.checkpoints / "latest") for each in (resumed, run)
    )
    assert mine["step"] == expected["step"] == 6
    assert_same_bits(mine["state"], expected["state"], "state")
    assert_same_bits(mine["means"], expected["means"], "means")
    for name in ("step-00000000.png", "step-00000006.png"):
        same = [(each.folder.samples / name).read_bytes() for each in (resumed, run)]
        assert same[0] == same[1], name
    rows = [each.folder.log()[0] for each in (resumed, run)]
    scalars = ("step", "images", "loss_d", "loss_g", "d_real", "d_mixture", "gradient_penalty")
    assert [rows[0][name] for name in scalars] == [rows[1][name] for name in scalars]


def test_a_run_from_its_folder_samples_and_measures_the_same(run: Run[Any, Any]) -> None:
    again = resume(RECIPES["gan"].recipe(), GanConfig, run.folder)
    images = again.state.sampler.sample(10, seed=4)
    assert images.shape == (10, 3, 32, 32)
    assert images.dtype == torch.uint8
    assert torch.equal(images, run.state.sampler.sample(10, seed=4))
    alone, _ = load_sampler(run.folder)  # without the data, which knows how frequent classes are
    assert alone.labels.tolist() == [0, 1]
    weights = again.state.ema.module.state_dict()
    assert all(torch.equal(v, weights[name]) for name, v in alone.network.state_dict().items())
    assert not torch.equal(images, run.state.sampler.sample(10, seed=5))
    assert evaluate(again.state).as_dict() == run.folder.evaluations()[0]


def test_measuring_changes_nothing_that_is_trained(image_folder: Path) -> None:
    measured, other = (build(tiny(image_folder, negative="none")) for _ in range(2))
    take_step(measured)
    take_step(other)
    evaluation = evaluate(measured)
    assert {metric.name.split("_")[-1] for metric in evaluation.metrics[1:]} == set(
        PAPERS_NEGATIVES
    )
    for state in (measured, other):
        take_step(state)
    for name, part in measured.saved.items():
        assert_same_bits(part.state_dict(), other.saved[name].state_dict(), name)


def test_real_images_are_of_all_classes_and_the_same_for_every_seed(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Tensor] = []

    def measure(state: GanState, real: Tensor, notes: list[str]) -> list[Any]:
        shown.append(real)
        return []

    monkeypatch.setattr("nda.recipes.gan.evaluate.distances", measure)
    for seed in (0, 1):
        evaluate(build(tiny(image_folder, seed=seed, evaluation_samples=10)))
    assert torch.equal(*shown)
    bright = shown[0].float().mean(dim=(1, 2, 3)) > 127
    assert 0 < int(bright.sum()) < 10


def test_held_out_images_without_classes_are_a_note(image_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(image_folder / "train", tmp_path / "train")
    (tmp_path / "test").mkdir()
    for path in (image_folder / "test").rglob("*.png"):
        shutil.copy(path, tmp_path / "test" / f"{path.parent.name}-{path.name}")
    evaluation = evaluate(build(tiny(tmp_path)))
    assert all(metric.name.startswith("gap_") for metric in evaluation.metrics)
    assert evaluation.notes[2].startswith("Classifier Fréchet distance: training and held-out")


def test_generating_in_parts_gives_as_many_as_asked(image_folder: Path) -> None:
    state = build(tiny(image_folder))
    images = state.sampler.generate(7, torch.Generator().manual_seed(0), size=3)
    assert images.shape == (7, 3, 32, 32)
    assert len({image.sum().item() for image in images}) == 7


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"negative": "none"}, 1),
        ({"negative": "mixup"}, 2),
        ({"negative": "data", "classes": "dark", "negative_classes": "light"}, 2),
        ({"negative": "jigsaw:seam=feather", "matched": "shown"}, 3),
    ],
    ids=str,
)
def test_the_picture_of_the_negatives(
    image_folder: Path, tmp_path: Path, changes: dict[str, Any], rows: int
) -> None:
    state = build(tiny(image_folder, **changes))
    (tmp_path / "samples").mkdir()
    draw_negatives(state, RunFolder(tmp_path), torch.Generator().manual_seed(0))
    with Image.open(tmp_path / "samples" / "negatives.png") as picture:
        assert picture.height == 96 * rows + 4 * (rows + 1)
