"""Linear evaluation: each layer against plain SGD, the encoder untouched, parts kept apart."""

from __future__ import annotations

import copy
import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.cli import main
from nda.data import to_float
from nda.errors import CheckpointError, ConfigError, DataError
from nda.recipes import RECIPES
from nda.recipes.linear_probe import train as linear_probe
from nda.recipes.linear_probe.config import LinearProbeConfig
from nda.recipes.linear_probe.evaluate import evaluate
from nda.recipes.linear_probe.train import LinearProbeState, decay
from nda.training.checkpoint import load_checkpoint
from nda.training.launch import launch
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.made_encoder import write_encoder_run


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder_run(tmp_path_factory.mktemp("encoders") / "moco")


def tiny(data: Path, encoder: Path | str, out: Path | str = "unused", **changes: Any) -> Any:
    """Batches of 8, five steps, three rates, a quarter of the images to choose by."""
    config = LinearProbeConfig(
        data=str(data),
        encoder=str(encoder),
        out=str(out),
        steps=5,
        batch_size=8,
        lrs="0.1,1,30",
        validation=0.25,
        log_every=1,
        checkpoint_every=2,
        device="cpu",
    )
    return dataclasses.replace(config, **changes)


def build(data: Path, encoder: Path | str, **changes: Any) -> LinearProbeState:
    config = tiny(data, encoder, **changes)
    config.check()
    return linear_probe.build(config, launch(config))


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_each_layer_trains_as_if_alone(image_folder: Path, encoder: Path) -> None:
    state = build(image_folder, encoder)
    initial = copy.deepcopy(state.heads.module)
    for _ in range(5):
        linear_probe.step(state, state.batch(state.step), draws())
        state.step += 1
    for index, rate in enumerate((0.1, 1.0, 30.0)):
        layer = nn.Linear(32, 2)
        layer.weight.data = initial.weight[index].detach().T.clone()
        layer.bias.data = initial.bias[index].detach().clone()
        sgd = torch.optim.SGD(layer.parameters(), lr=rate, momentum=0.9)
        for number in range(5):
            features, labels = state.batch(number)
            sgd.param_groups[0]["lr"] = rate * (1.0, 1.0, 1.0, 0.1, 0.01)[number]
            sgd.zero_grad()
            torch.autograd.backward(F.cross_entropy(layer(features), labels))
            sgd.step()
        trained = state.heads.module.weight[index].T
        torch.testing.assert_close(trained, layer.weight, rtol=1e-4, atol=1e-5)
        assert not torch.equal(trained, initial.weight[index].T)


def test_features_are_those_of_the_encoder_in_eval_mode(image_folder: Path, encoder: Path) -> None:
    state = build(image_folder, encoder)
    features, labels = state.batch(3)
    rows = state.batches.indices(3)
    with torch.no_grad():
        expected = state.encoder.network.eval()(to_float(state.train.images[rows]))
    torch.testing.assert_close(features, expected)
    assert torch.equal(labels, state.train.labels[rows])
    assert state.train.images.shape[-1] == 16  # as the encoder was trained, not 32 as the files


def test_the_three_parts_share_no_image(image_folder: Path, encoder: Path) -> None:
    state = build(image_folder, encoder)
    parts = [
        {image.numpy().tobytes() for image in part.images}
        for part in (state.train, state.validation, state.test)
    ]
    assert [len(part) for part in parts] == [30, 10, 20]
    assert len(set.union(*parts)) == 60
    assert set(state.validation.labels.tolist()) == {0, 1}


def test_augmentation_gives_other_features_in_each_step(image_folder: Path, encoder: Path) -> None:
    state = build(image_folder, encoder, augment=True, crop_low=0.5)
    images, _ = state.batch(0)
    assert images.dtype == torch.uint8
    first = linear_probe.augmented(state, images, draws())
    again = linear_probe.augmented(state, images, draws())
    other = linear_probe.augmented(state, images, torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    logs = linear_probe.step(state, state.batch(0), draws())
    assert logs.keys() == {"loss_lr_0.1", "loss_lr_1", "loss_lr_30"}
    evaluate(state)  # and the encoder is proven unchanged


@pytest.mark.parametrize("augment", [False, True])
def test_a_resumed_run_is_the_same_run(
    image_folder: Path, encoder: Path, tmp_path: Path, augment: bool
) -> None:
    whole = start(
        RECIPES["linear-probe"].recipe(),
        tiny(image_folder, encoder, tmp_path / "whole", augment=augment),
    )
    assert whole.train()
    part = start(
        RECIPES["linear-probe"].recipe(),
        tiny(image_folder, encoder, tmp_path / "part", augment=augment),
    )
    for _ in range(2):
        part._one_step()
    part.save()
    again = resume(
        RECIPES["linear-probe"].recipe(), LinearProbeConfig, RunFolder.open(tmp_path / "part")
    )
    assert again.state.step == 2
    assert again.train()
    mine, expected = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest")["state"]
        for name in ("part", "whole")
    )
    for key, value in expected["heads"].items():
        assert torch.equal(mine["heads"][key], value), key
    for index, moments in expected["optimizer"]["state"].items():
        assert torch.equal(
            mine["optimizer"]["state"][index]["momentum_buffer"], moments["momentum_buffer"]
        )


def test_a_run_of_the_recipes_former_name_goes_on(
    image_folder: Path, encoder: Path, tmp_path: Path
) -> None:
    settings = tiny(image_folder, encoder, tmp_path / "run", recipe="linear_probe")
    part = start(RECIPES["linear-probe"].recipe(), settings)
    part._one_step()
    part.save()
    assert "recipe: linear_probe\n" in (tmp_path / "run" / "config.yaml").read_text()
    del part  # and its lock
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").exists()


def test_a_run_is_not_resumed_on_another_encoder(
    image_folder: Path, encoder: Path, tmp_path: Path
) -> None:
    start(
        RECIPES["linear-probe"].recipe(), tiny(image_folder, encoder, tmp_path / "run", steps=1)
    ).train()
    other = write_encoder_run(tmp_path / "other", seed=5)
    message = r"The encoder other \(step 7\) is not the one that the probe was trained on"
    with pytest.raises(CheckpointError, match=message):
        resume(
            RECIPES["linear-probe"].recipe(),
            LinearProbeConfig,
            RunFolder.open(tmp_path / "run"),
            encoder=str(other),
        )


def test_the_schedules_are_functions_of_the_step() -> None:
    config = tiny(Path("unused"), "none", steps=10)
    factors = [decay(step, config) for step in range(10)]
    assert factors == pytest.approx([1] * 6 + [0.1] * 2 + [0.01] * 2)
    cosine = dataclasses.replace(config, schedule="cosine")
    assert decay(0, cosine) == 1
    assert decay(5, cosine) == pytest.approx(0.5)
    assert decay(9, cosine) == pytest.approx(0.5 * (1 + math.cos(0.9 * math.pi)))


def test_an_encoder_of_random_weights_serves_as_well(image_folder: Path) -> None:
    state = build(image_folder, "none", network="cifar_resnet18", width=2)
    assert state.encoder.origin.run == "none"
    assert state.train.images.shape[-1] == 32
    assert state.inputs.shape == (30, 16)


def test_images_without_classes_are_refused(image_folder: Path, encoder: Path) -> None:
    with pytest.raises(DataError, match="has 1 class folders, and a linear probe learns to tell"):
        build(image_folder / "train", encoder, classes="dark")
    with pytest.raises(DataError, match=r"has no class folders.*one folder a class, as in train/"):
        build(image_folder / "train" / "dark", encoder)


def test_the_test_images_must_be_of_the_same_classes(
    image_folder: Path, encoder: Path, tmp_path: Path
) -> None:
    shutil.copytree(image_folder / "train", tmp_path / "flat" / "train")
    (tmp_path / "flat" / "test").mkdir()
    for path in (image_folder / "test").rglob("*.png"):
        shutil.copy(path, tmp_path / "flat" / "test" / f"{path.parent.name}-{path.name}")
    with pytest.raises(DataError, match="the test split has no class folders, where the training"):
        build(tmp_path / "flat", encoder)
    shutil.copytree(image_folder, tmp_path / "more")
    shutil.copytree(tmp_path / "more" / "test" / "dark", tmp_path / "more" / "test" / "grey")
    with pytest.raises(DataError, match="no training image of class 'grey'"):
        build(tmp_path / "more", encoder)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.35, 0.4, 0.5])
def test_the_validation_part_is_the_share_asked_for(
    image_folder: Path, encoder: Path, share: float
) -> None:
    state = build(image_folder, encoder, validation=share)
    assert len(state.validation) == pytest.approx(40 * share, abs=1)
    assert len(state.validation) + len(state.train) == 40
    assert torch.bincount(state.validation.labels).tolist() == pytest.approx(
        [20 * share] * 2, abs=1
    )


def test_features_that_are_not_finite_stop_it(image_folder: Path, tmp_path: Path) -> None:
    from nda.errors import TrainingError

    run = write_encoder_run(tmp_path / "moco")
    path = RunFolder(run).checkpoints / "step-00000007.pt"
    content = load_checkpoint(path)
    weights: dict[str, Tensor] = content["state"]["encoder"]
    weights["conv1.weight"][0] = math.nan
    torch.save(content, path)
    with pytest.raises(TrainingError, match="features of 30 of 30 images are not finite"):
        build(image_folder, run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lrs": "0.1,fast"}, "lrs is '0.1,fast'; give numbers separated by commas"),
        ({"lrs": "0.1,0"}, "lrs is '0.1,0'; learning rates must be above 0"),
        ({"lrs": "nan"}, "lrs is 'nan'; learning rates must be above 0"),
        ({"validation": 0.0}, "validation is 0.0; choosing a learning rate needs a share"),
        ({"holdout": 0.0}, "holdout is 0.0; where the data has no test split"),
        ({"crop_low": 0.0}, "crop_low is 0.0; it is a share of the area"),
        ({"width": 0}, "width is 0; it must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(Path("unused"), "none", **changes).check()


def test_rates_are_sorted_and_each_is_there_once() -> None:
    assert tiny(Path("unused"), "none", lrs="3,0.1, 3").rates == [0.1, 3.0]
