"""The anomaly recipe: one step against its loss by hand, data kept apart, and a whole training."""

from __future__ import annotations

import copy
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from nda.data import to_float
from nda.errors import ConfigError, ShapeError
from nda.negatives import NEGATIVE_NAMES
from nda.recipes import RECIPES
from nda.recipes.anomaly import train as anomaly
from nda.recipes.anomaly.normal import load_normal
from nda.recipes.anomaly.train import AnomalyState, learning_rate
from nda.runtime.seeding import generator_for
from nda.training.checkpoint import load_checkpoint
from nda.training.launch import launch
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_anomaly import tiny_anomaly, write_surfaces


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_surfaces(tmp_path_factory.mktemp("surfaces") / "tiles")


def build(data: Path, **changes: Any) -> AnomalyState:
    config = tiny_anomaly(data, **changes)
    config.check()
    return anomaly.build(config, launch(config))


@pytest.mark.parametrize(("fit", "darkest"), [("stretch", 0), ("crop", 100)])
def test_images_become_squares_as_the_settings_say(tmp_path: Path, fit: str, darkest: int) -> None:
    for number in range(20):
        wide = np.full((16, 48), 100 + number, dtype=np.uint8)
        wide[:, :8] = 0  # which no crop of the middle shows
        Image.fromarray(wide).save(tmp_path / f"{number:02}.png")
    normal = load_normal(tiny_anomaly(tmp_path, fit=fit, resolution=16))
    found = torch.cat([normal.train.images, normal.calibration.images])
    assert abs(int(found.min()) - darkest) < 5


def draws(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("negative", [*NEGATIVE_NAMES, "blemish+jigsaw", "cutmix:low=0.1,high=0.3"])
def test_every_negative_trains_the_network(surfaces: Path, negative: str) -> None:
    state = build(surfaces, negative=negative)
    before = [p.detach().clone() for p in state.network.module.parameters()]
    logs = anomaly.step(state, state.batch(0), draws())
    assert logs.keys() == {"loss", "highest_normal", "highest_negative"}
    assert all(value.shape == () and value.isfinite() for value in logs.values())
    after = list(state.network.module.parameters())
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) > 0.9 * len(changed)


def test_textures_come_from_where_the_settings_say(surfaces: Path, tmp_path: Path) -> None:
    for name in ("red", "as red"):
        Image.new("RGB", (24, 24), (255, 0, 0)).save(tmp_path / f"{name}.png")
    state = build(surfaces, negative="blemish+texture", texture=str(tmp_path))
    plain = build(surfaces, negative="blemish+texture")
    assert state.data.startswith(plain.data)  # a run is not resumed with other textures
    assert len(state.data) > len(plain.data)
    normal = torch.full((64, 3, 32, 32), 0.2)
    normal[:, 0] = -0.2
    found = state.negative(normal, generator=draws())
    assert float((found - normal)[:, 0].max()) > 0.2  # red covers some of them


def test_textures_without_the_negative_are_refused(surfaces: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is none here; name it among the negatives"):
        build(surfaces, texture=str(tmp_path))


def test_the_update_is_a_cross_entropy_place_by_place(surfaces: Path) -> None:
    state = build(surfaces, positives="none")
    network: nn.Module = copy.deepcopy(state.network.module)
    batch = state.batch(0)
    logs = anomaly.step(state, batch, draws())

    normal = to_float(batch)
    params = state.negative.draw(normal, draws())
    negative, mask = state.negative.replay(normal, params), state.negative.mask(normal, params)
    logits = network(torch.cat([normal, negative]))
    total, places = torch.zeros(()), 0
    for image in range(16):
        for row in range(8):
            for column in range(8):
                share = 0.0  # of the place's 16 pixels that are not normal
                if image >= 8:
                    part = mask[image - 8, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
                    share = float(part.mean())
                logit = logits[image, row, column]
                total = total - share * F.logsigmoid(logit) - (1 - share) * F.logsigmoid(-logit)
                places += 1
    torch.testing.assert_close(logs["loss"], total / places)
    torch.autograd.backward(total / places)
    for mine, hand in zip(state.network.module.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, hand.grad, atol=1e-5, rtol=1e-3)


def test_calibration_images_are_never_trained_on(surfaces: Path) -> None:
    state = build(surfaces)
    seen = {bytes(image.numpy().tobytes()) for image in state.images}
    kept = {bytes(image.numpy().tobytes()) for image in state.calibration.images}
    assert len(seen) == 40
    assert len(kept) == 20
    assert not seen & kept


def test_learning_rate_rises_and_falls_with_the_step_alone() -> None:
    config = tiny_anomaly(Path("unused"), steps=100, lr=0.5)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.5 * (1 / 101) / 0.1)
    assert max(rates) == pytest.approx(0.5, rel=0.01)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    done = 80 / 101
    assert rates[79] == pytest.approx(0.25 * (1 + math.cos(math.pi * (done - 0.1) / 0.9)))


def test_a_resumed_run_is_the_same_run(surfaces: Path, tmp_path: Path) -> None:
    whole = start(RECIPES["anomaly"].recipe(), tiny_anomaly(surfaces, tmp_path / "whole"))
    assert whole.train()
    part = start(RECIPES["anomaly"].recipe(), tiny_anomaly(surfaces, tmp_path / "part"))
    for _ in range(2):
        part._one_step()
    part.save()
    again = resume(
        RECIPES["anomaly"].recipe(), type(part.config), RunFolder.open(tmp_path / "part")
    )
    assert again.state.step == 2
    assert again.train()
    mine, expected = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest")["state"]
        for name in ("part", "whole")
    )
    for key, value in expected["network"].items():
        assert torch.equal(mine["network"][key], value), key
    for index, moments in expected["optimizer"]["state"].items():
        for key, value in moments.items():
            assert torch.equal(mine["optimizer"]["state"][index][key], value), (index, key)


def test_training_on_more_steps_goes_on(surfaces: Path, tmp_path: Path) -> None:
    run = start(RECIPES["anomaly"].recipe(), tiny_anomaly(surfaces, tmp_path / "run", steps=2))
    assert run.train()
    longer = resume(
        RECIPES["anomaly"].recipe(), type(run.config), RunFolder.open(tmp_path / "run"), steps=5
    )
    assert longer.train()
    assert longer.state.step == 5


def test_steps_draw_different_negatives(surfaces: Path) -> None:
    state = build(surfaces)
    first, second = (generator_for(0, step=step, purpose="train") for step in (0, 1))
    x = to_float(state.batch(0))
    assert not torch.equal(state.negative(x, generator=first), state.negative(x, generator=second))


def test_too_few_images_for_the_false_alarm_rate_are_refused(surfaces: Path) -> None:
    message = (
        r"A false-alarm rate of 0\.01 needs at least 99 normal images to calibrate on, and "
        r"--holdout 0\.333333 of those in .* keeps 20 different ones\. Give more normal images.*"
        r"--false_alarm_rate of 0\.0477 or more\."
    )
    with pytest.raises(ConfigError, match=message):
        build(surfaces, false_alarm_rate=0.01)


def test_without_a_rate_the_best_is_chosen_that_can_be_promised(
    surfaces: Path,
) -> None:
    state = build(surfaces, false_alarm_rate=None)
    assert (len(state.calibration), state.false_alarm_rate) == (20, 0.0477)
    _, said = state.told
    assert "20 of 60 normal images are kept to calibrate on (one in 3), which can prom" in said
    assert "'--holdout 0.5' would promise 0.0323, '--method auto " in said
    assert "would promise 0.0164; 0.01 takes 295 normal images." in said


def test_copies_are_trained_on_or_calibrated_on_and_calibrated_on_once(
    tmp_path: Path,
) -> None:
    data = write_surfaces(tmp_path / "tiles", normal=30)
    for image in list((data / "train" / "good").iterdir()):
        shutil.copy(image, image.with_name(f"again {image.name}"))
    state = build(data)
    train = {image.numpy().tobytes() for image in state.train.images}
    assert (len(state.train), len(train), len(state.calibration)) == (40, 20, 10)
    assert not any(image.numpy().tobytes() in train for image in state.calibration.images)
    assert "30 of 60 images are copies or near copies" in " ".join(state.told)


def test_a_negative_that_cannot_take_the_images_is_refused(surfaces: Path) -> None:
    with pytest.raises(ShapeError, match="jigsaw cannot cut images of 32 x 32"):
        build(surfaces, negative="jigsaw:grid=5")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 100}, "resolution is 100; the network needs a multiple of 16"),
        ({"resolution": None}, "resolution is None; the network needs a multiple of 16"),
        ({"holdout": 0.0}, "holdout is 0.0; calibration needs a share"),
        ({"holdout": 0.7}, "holdout is 0.7; calibration needs a share"),
        ({"negative": "none"}, "--negative none leaves nothing to tell normal images from"),
        ({"false_alarm_rate": 1.0}, "false_alarm_rate is 1.0; it must lie between 0 and 1"),
        ({"positive_probability": 0.0}, "positive_probability is 0.0; it must lie between"),
        ({"lr": float("nan")}, "lr is nan; it must be above 0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; it must be above 0"),
        ({"backbone": "resnet18"}, r"backbone is 'resnet18'; give plain, lite0 or torchvision:N"),
        (
            {"method": "gaussian", "backbone": "plain"},
            "--method gaussian compares features that were learned before, and --backbone plain",
        ),
        ({"method": "neighbours", "backbone": "torchvision:resnet18"}, "resnet18 has random weig"),
        ({"width": 0}, "width is 0; it must be at least 1"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_anomaly(Path("unused"), **changes).check()


def test_a_torchvision_backbone_trains_too(surfaces: Path) -> None:
    state = build(surfaces, backbone="torchvision:resnet18")
    before = state.network.module.trunk.network.conv1.weight.detach().clone()
    anomaly.step(state, state.batch(0), draws())
    assert not torch.equal(before, state.network.module.trunk.network.conv1.weight)
