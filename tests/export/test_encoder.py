"""Exported encoders open in plain timm and torchvision with the same features, or are not kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nda.errors import CheckpointError, ConfigError, ShapeError
from nda.export.detector import ExportError
from nda.export.encoder import (
    TOLERANCE,
    EncoderFormat,
    compare,
    export_encoder,
    load_encoder,
    opened_by,
    opening_lines,
)
from nda.recipes.encoders import Pretrained, open_encoder
from tests.support.made_encoder import write_encoder_run

Make = Callable[[str, int, int], Pretrained]


@pytest.fixture
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Encoders of runs that lie apart from where a test writes."""

    def made(name: str, width: int, resolution: int) -> Pretrained:
        folder = tmp_path_factory.mktemp("encoders") / "run"
        return open_encoder(str(write_encoder_run(folder, name, width, resolution)))

    return made


def features(network: nn.Module) -> Tensor:
    x = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        return network.eval()(x)


def assert_alike(mine: Tensor, theirs: Tensor) -> None:
    unit = mine.abs().amax(dim=1, keepdim=True)
    assert float(((mine - theirs).abs() / unit).max()) <= TOLERANCE


def test_a_published_network_opens_in_plain_torchvision(tmp_path: Path, pretrained: Make) -> None:
    encoder = pretrained("resnet18", 64, 16)
    path = tmp_path / "weights.pth"
    export_encoder(encoder, path, "torchvision")
    plain = torchvision.models.resnet18()
    plain.fc = nn.Identity()
    plain.load_state_dict(torch.load(path, weights_only=True), strict=True)
    assert_alike(features(encoder.network), features(plain))
    assert list(tmp_path.iterdir()) == [path]


def test_a_published_network_opens_in_plain_timm(tmp_path: Path, pretrained: Make) -> None:
    encoder = pretrained("resnet18", 64, 16)
    path = tmp_path / "weights.safetensors"
    parity = export_encoder(encoder, path, "timm")
    assert (parity.images, parity.largest_difference <= TOLERANCE) == (256, True)
    plain = timm.create_model("resnet18", num_classes=0)
    plain.load_state_dict(load_file(path), strict=True)
    assert_alike(features(encoder.network), features(plain))
    other = timm.create_model("resnet18", num_classes=0, checkpoint_path=str(path))
    assert torch.equal(features(plain), features(other))


@pytest.mark.parametrize("kind", ["timm", "torchvision", "safetensors"])
@pytest.mark.parametrize("name", ["cifar_resnet18", "resnet50"])
def test_the_lines_open_narrow_networks_too(
    name: str, kind: EncoderFormat, tmp_path: Path, pretrained: Make
) -> None:
    encoder = pretrained(name, 4, 16)
    path = tmp_path / f"it's.{'pth' if kind == 'torchvision' else 'safetensors'}"
    export_encoder(encoder, path, kind)
    lines = opening_lines(name, 4, path, kind)
    assert ("strict=True" in lines) == (kind != "safetensors")
    assert ("nda" in lines) == (kind == "safetensors")
    assert_alike(features(encoder.network), features(opened_by(lines)))


def test_nda_reads_its_own_format_again(tmp_path: Path, pretrained: Make) -> None:
    encoder = pretrained("cifar_resnet18", 4, 16)
    path = tmp_path / "encoder.safetensors"
    export_encoder(encoder, path, "safetensors")
    again = load_encoder(path)
    assert torch.equal(features(encoder.network), features(again))
    assert not any(parameter.requires_grad for parameter in again.parameters())
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["encoder"])
    assert (about["network"], about["width"], about["resolution"], about["negative"]) == (
        "cifar_resnet18", 4, 16, "jigsaw",
    )  # fmt: skip


def test_an_encoder_refuses_what_it_was_not_trained_on(tmp_path: Path, pretrained: Make) -> None:
    path = str(tmp_path / "encoder.safetensors")
    export_encoder(pretrained("cifar_resnet18", 4, 16), path, "safetensors")
    again = load_encoder(path)
    for images in (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), torch.zeros(3, 16, 16)):
        with pytest.raises(ShapeError, match=r"takes float images of shape \(B, 3, H, W\)"):
            again(images)


def test_tampered_and_foreign_files_are_refused(tmp_path: Path, pretrained: Make) -> None:
    path = tmp_path / "encoder.safetensors"
    export_encoder(pretrained("cifar_resnet18", 4, 16), path, "safetensors")
    whole = path.read_bytes()
    with safe_open(path, framework="pt") as file:
        about = file.metadata()["encoder"]
    weights = load_file(path)
    weights["conv1.weight"][0, 0, 0, 0] += 1e-3
    save_file(weights, path, {"encoder": about})
    with pytest.raises(CheckpointError, match=r"are not those that were exported\. Export it anew"):
        load_encoder(path)
    other = json.dumps(json.loads(about) | {"width": 8})
    save_file(load_file(path), path, {"encoder": other})
    with pytest.raises(CheckpointError, match=r"could not be read as an encoder \(RuntimeError\)"):
        load_encoder(path)
    save_file(weights, path, {"encoder": "not JSON"})
    with pytest.raises(CheckpointError, match="could not be read as an encoder"):
        load_encoder(path)
    save_file(weights, path)
    with pytest.raises(CheckpointError, match="is no encoder of this version of nda"):
        load_encoder(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"could not be read .* \(DamagedError\)"):
        load_encoder(path)
    with pytest.raises(CheckpointError, match=r"could not be read .* \(FileNotFoundError\)"):
        load_encoder(tmp_path / "none.safetensors")


def test_an_export_that_differs_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretrained: Make
) -> None:
    encoder = pretrained("cifar_resnet18", 4, 16)

    def nearly(lines: str) -> nn.Module:
        network = opened_by(lines)
        assert isinstance(network.conv1, nn.Conv2d)
        network.conv1.weight.data *= 1.001
        return network

    monkeypatch.setattr("nda.export.encoder.opened_by", nearly)
    with pytest.raises(ExportError, match="features differ from PyTorch's by"):
        export_encoder(encoder, tmp_path / "weights.pth", "torchvision")
    assert list(tmp_path.iterdir()) == []


def test_features_of_another_width_do_not_pass(pretrained: Make) -> None:
    encoder = pretrained("cifar_resnet18", 4, 16)
    with pytest.raises(ExportError, match=r"gives features \(256, 64\), not \(256, 32\)"):
        compare(encoder, pretrained("cifar_resnet18", 8, 16).network)


def test_without_timm_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pretrained: Make
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match="pip install timm, or give --format torchvision"):
        export_encoder(pretrained("cifar_resnet18", 4, 16), tmp_path / "x.safetensors", "timm")
