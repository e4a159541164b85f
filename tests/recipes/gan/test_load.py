"""A run's discriminator without the run's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nda.errors import CheckpointError
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.load import load_discriminator
from nda.recipes.gan.networks import Discriminator, build_discriminator
from nda.training.checkpoint import save_checkpoint
from nda.training.run_folder import RunFolder


def written(path: Path, discriminator: Discriminator, **settings: Any) -> RunFolder:
    """A run folder whose settings name data that is not there, and its checkpoint."""
    config = GanConfig(data="/no/such/data", out=str(path)).as_dict() | settings
    path.mkdir()
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    content = {"config": config, "state": {"discriminator": discriminator.state_dict()}}
    save_checkpoint(path / "checkpoints", 7, content, keep=1)
    return RunFolder(path)


@pytest.mark.parametrize(
    ("network", "resolution", "width", "classes"),
    [
        ("biggan", 32, 4, 1),
        ("biggan", 32, 4, 2),
        ("biggan", 64, 8, 1),
        ("biggan", 128, 8, 3),
        ("dcgan", 32, 2, 1),
        ("dcgan", 40, 3, 1),
        ("dcgan_dense", 40, 3, 1),
        ("wgan_gp", 16, 2, 1),
        ("wgan_gp", 64, 1, 1),
    ],
)
def test_it_is_the_runs_discriminator(
    tmp_path: Path, network: str, resolution: int, width: int, classes: int
) -> None:
    own = build_discriminator(network, resolution, width, classes)
    images, labels = torch.rand(3, 3, resolution, resolution) * 2 - 1, torch.arange(3) % classes
    own(images, labels)  # in train mode, so that spectral norm's estimates are not the first ones
    folder = written(tmp_path / "run", own, network=network, width=width)
    before = torch.get_rng_state()
    loaded = load_discriminator(folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert (loaded.resolution, loaded.classes) == (resolution, classes)
    torch.testing.assert_close(loaded(images, labels), own.eval()(images, labels))
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


def test_a_numerosity_run_has_one_too(tmp_path: Path) -> None:
    own = build_discriminator("wgan_gp", 32, 1, 1)
    settings = {"recipe": "numerosity", "network": "wgan_gp", "width": 1}
    loaded = load_discriminator(written(tmp_path / "run", own, **settings))
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(loaded(images), own.eval()(images))


@pytest.fixture
def small() -> Discriminator:
    return build_discriminator("dcgan", 32, 4, 1)


def refused(folder: RunFolder) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_discriminator(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_recipe(small: Discriminator, tmp_path: Path) -> None:
    folder = written(tmp_path / "run", small, recipe="moco")
    assert f"{folder.path} is a run of moco, which has no GAN's discriminator" in refused(folder)


def test_no_checkpoint(small: Discriminator, tmp_path: Path) -> None:
    folder = written(tmp_path / "run", small)
    for path in folder.checkpoints.iterdir():
        path.unlink()
    assert "holds no checkpoint yet" in refused(folder)


@pytest.mark.parametrize(
    "changes",
    [{"width": 5}, {"width": "wide"}, {"width": 0}, {"network": "biggan"}, {"network": "vae"}],
    ids=str,
)
def test_settings_that_are_not_the_weights(
    small: Discriminator, tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = written(tmp_path / "run", small, **{"network": "dcgan", "width": 4} | changes)
    said = refused(folder)
    assert f"newest checkpoint of {folder.path} does not hold the discriminator of its" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "its config is missing"),
        ({"config": {}}, "its state is missing"),
        ({"config": {}, "state": {}}, "does not hold the discriminator of its settings"),
    ],
)
def test_a_checkpoint_without_a_discriminator(
    small: Discriminator, tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    folder = written(tmp_path / "run", small)
    save_checkpoint(folder.checkpoints, 9, content, keep=1)
    assert message in refused(folder)
