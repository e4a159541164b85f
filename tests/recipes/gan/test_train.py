"""What a GAN is made of, and what is refused before anything is trained."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nda.errors import ConfigError, DataError, ShapeError, UserError
from tests.support.tiny_gan import build, take_step, tiny


@pytest.fixture(scope="module")
def flat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 images of 32 x 32 without classes or splits."""
    folder = tmp_path_factory.mktemp("flat")
    draws = np.random.default_rng(0)
    for index in range(12):
        pixels = draws.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return folder


def test_a_step_sees_fresh_images_and_an_epoch_each_image_once(image_folder: Path) -> None:
    state = build(tiny(image_folder, batch_size=5, d_steps=4))
    assert state.config.samples_per_step == 20
    seen = []
    for step in range(2):
        images, labels = state.batch(step)
        assert images.shape == (20, 3, 32, 32)
        assert images.dtype == torch.uint8
        assert labels.shape == (20,)
        seen.append(images)
    every = sorted(image.sum().item() for image in torch.cat(seen))
    assert every == sorted(image.sum().item() for image in state.splits.train.images)


def test_labels_are_classes_in_a_conditional_gan_only(image_folder: Path) -> None:
    conditional = build(tiny(image_folder, conditional=True))
    images, labels = conditional.batch(0)
    bright = images.float().mean(dim=(1, 2, 3)) > 127
    assert torch.equal(bright.long(), labels)
    drawn = conditional.sampler.draw_labels(1000, torch.Generator().manual_seed(0))
    assert 400 < int(drawn.sum()) < 600  # as frequent as in the data: half and half
    plain = build(tiny(image_folder))
    assert not plain.batch(0)[1].any()
    assert not plain.sampler.draw_labels(100, torch.Generator().manual_seed(0)).any()


def test_weights_follow_from_the_seed(image_folder: Path) -> None:
    def first_weights(seed: int) -> list[float]:
        state = build(tiny(image_folder, seed=seed))
        return [float(p.detach().sum()) for p in state.generator.module.parameters()]

    torch.manual_seed(1)
    one = first_weights(3)
    torch.manual_seed(2)
    assert first_weights(3) == one
    assert first_weights(4) != one


def test_negatives_may_come_from_another_folder(image_folder: Path, flat_folder: Path) -> None:
    config = tiny(image_folder, negative="data", negative_data=str(flat_folder))
    state = build(config)
    assert state.other is not None
    assert len(state.other) == 12
    assert state.data != build(tiny(image_folder)).data  # the fingerprint is of both
    take_step(state)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"negative": "jigsaw:grid=5"}, ShapeError, "jigsaw cannot cut images of 32 x 32 .* 5 x 5"),
        ({"negative": "jigsaw+jigsaw:grid=3"}, ShapeError, "grid of 3 x 3"),
        ({"positives": "jigsaw:grid=5"}, ShapeError, "grid of 5 x 5"),
        ({"negative": "stitch", "batch_size": 1}, ShapeError, "stitch mixes each sample"),
        ({"positives": "mixup", "batch_size": 1}, ShapeError, "mixup mixes each sample"),
        ({"negative": "jigsw"}, ConfigError, "no negative 'jigsw'; did you mean 'jigsaw'"),
        ({"batch_size": 41}, DataError, "batch of 41 samples is larger than the data set of 40"),
        ({"resolution": 48}, ConfigError, "32, 64, 128 pixels, not for 48"),
        ({"network": "dcgan", "resolution": 20}, ConfigError, "multiple of 8, not 20"),
        ({"classes": "dark", "conditional": True}, ConfigError, "at least two classes, and"),
        (
            {"negative": "data", "negative_classes": "light"},
            ConfigError,
            "Class light is both data and negative; give --classes",
        ),
        ({"classes": "drak"}, DataError, "no class 'drak'. Did you mean 'dark'"),
    ],
    ids=str,
)
def test_refused(
    image_folder: Path, changes: dict[str, Any], error: type[UserError], message: str
) -> None:
    with pytest.raises(error, match=message):
        build(tiny(image_folder, **changes))


def test_a_conditional_gan_needs_class_folders(flat_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no class folders\. Sort the images"):
        build(tiny(flat_folder, conditional=True))


def test_too_few_images_held_out_are_refused(flat_folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(flat_folder.iterdir())[:9]:
        shutil.copy(path, few)
    with pytest.raises(DataError, match=r"leaves 1 image held out, and measuring needs 2"):
        build(tiny(few))
    assert len(build(tiny(few, holdout=0.3, batch_size=2)).splits.heldout) == 3
