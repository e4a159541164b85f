"""Encoders of runs: their weights, what they know of themselves, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from nda.errors import CheckpointError, ConfigError
from nda.recipes import RECIPES
from nda.recipes.encoders import EncoderSource, open_encoder
from nda.runtime.digest import weights_digest
from nda.training.engine import Run
from nda.training.start import start
from tests.support.tiny_moco import tiny_moco


@pytest.fixture(scope="module")
def trained(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:  # type: ignore[type-arg]
    run = start(
        RECIPES["moco"].recipe(),
        tiny_moco(image_folder, tmp_path_factory.mktemp("pretrained") / "run"),
    )
    assert run.train()
    return run


def test_it_is_the_trained_encoder_frozen(trained: Run) -> None:  # type: ignore[type-arg]
    found = open_encoder(str(trained.folder.path))
    encoder = trained.state.query.module[0]
    for name, weights in encoder.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], weights), name
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(found.network(x), encoder.eval()(x))
    assert not any(parameter.requires_grad for parameter in found.network.parameters())
    assert not found.network.training
    assert (found.name, found.width, found.resolution) == ("cifar_resnet18", 8, 16)
    assert found.origin == EncoderSource("run", "jigsaw", 4, weights_digest(encoder))


def test_random_weights_follow_from_the_seed() -> None:
    one, same, other = (open_encoder("none", width=8, seed=s) for s in (1, 1, 2))
    assert one.origin == same.origin != other.origin
    assert (one.origin.run, one.resolution, one.origin.negative) == ("none", None, "none")


def test_the_digest_tells_a_single_weight() -> None:
    encoder = open_encoder("none", width=8).network
    before = weights_digest(encoder)
    with torch.no_grad():
        encoder.conv1.weight[0, 0, 0, 0] += 1e-6
    assert weights_digest(encoder) != before


def test_another_architecture_than_the_runs_is_refused(trained: Run) -> None:  # type: ignore[type-arg]
    path = str(trained.folder.path)
    with pytest.raises(
        ConfigError, match=r"network is resnet50, but the encoder in .* was trained"
    ):
        open_encoder(path, network="resnet50")
    with pytest.raises(ConfigError, match=r"width is 64, .* with width 8; leave --width out"):
        open_encoder(path, width=64)
    open_encoder(path, network="cifar_resnet18", width=8)


def test_a_run_of_another_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"recipe": "gan"}))
    with pytest.raises(CheckpointError, match="is a run of gan, which has no encoder of images"):
        open_encoder(str(tmp_path))


def test_folders_without_a_run_or_a_checkpoint_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a run folder"):
        open_encoder(str(tmp_path))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"recipe": "moco"}))
    with pytest.raises(CheckpointError, match="holds no checkpoint yet"):
        open_encoder(str(tmp_path))


def test_a_checkpoint_that_does_not_fit_its_settings_is_refused(
    trained: Run,  # type: ignore[type-arg]
    tmp_path: Path,
) -> None:
    (tmp_path / "checkpoints").symlink_to(trained.folder.checkpoints.absolute())
    settings = trained.folder.config() | {"width": 16}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(CheckpointError, match="does not fit its settings"):
        open_encoder(str(tmp_path))
