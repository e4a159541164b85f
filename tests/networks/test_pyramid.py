"""torchvision's networks as trunks: where the maps are tapped, and networks that have none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from nda.errors import CheckpointError, ConfigError
from nda.networks.anomaly_map import AnomalyMap
from nda.networks.pyramid import TorchvisionTrunk, last_maps

SMALL = "mobilenet_v3_small"


def some_images(height: int = 64, width: int = 96) -> Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, height, width, generator=rng) * 2 - 1


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet18", (64, 128, 256)),
        (SMALL, (72, 96, 288)),
        pytest.param("resnet50", (128, 256, 512), marks=pytest.mark.slow),
        pytest.param("googlenet", (192, 480, 832), marks=pytest.mark.slow),
        pytest.param("convnext_tiny", (96, 192, 384), marks=pytest.mark.slow),
    ],
)
def test_maps_come_at_their_strides_and_all_of_it_learns(
    name: str, channels: tuple[int, int, int]
) -> None:
    trunk = TorchvisionTrunk(name)
    assert trunk.channels == channels
    network = AnomalyMap(trunk, 8)
    assert trunk.training
    maps = trunk(some_images())
    for level, stride, count in zip(maps, (4, 8, 16), channels, strict=True):
        assert level.shape == (2, count, 64 // stride, 96 // stride)
    logits = network(some_images())
    assert logits.shape == (2, 16, 24)
    logits.square().sum().backward()
    without = [key for key, p in network.named_parameters() if p.grad is None]
    assert without == []  # nothing below the last map was kept


def test_the_maps_are_those_of_the_network_on_normalised_pixels() -> None:
    trunk = TorchvisionTrunk("resnet18", seed=3).eval()
    torch.manual_seed(3)
    network = models.resnet18(weights=None).eval()
    images = some_images()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        x = ((images + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
        fine = network.layer1(x)
        middle = network.layer2(fine)
        coarse = network.layer3(middle)
        found = trunk(images)
    for level, expected in zip(found, (fine, middle, coarse), strict=True):
        torch.testing.assert_close(level, expected, rtol=1e-4, atol=1e-5)


def test_the_last_module_of_a_stride_is_tapped() -> None:
    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 4, stride=4)
            self.second = nn.Conv2d(4, 5, 1)
            self.third = nn.Sequential(nn.Conv2d(5, 6, 2, stride=2), nn.ReLU())
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.third(self.second(self.first(images))))

    toy = Toy()
    assert last_maps(toy) == {4: ("second", 5), 8: ("third", 6), 64: ("head.0", 6)}
    assert not any(module._forward_hooks for module in toy.modules())


def test_random_weights_follow_from_the_seed_alone() -> None:
    def weights(seed: int) -> list[Tensor]:
        return list(TorchvisionTrunk(SMALL, seed=seed).state_dict().values())

    before = torch.random.get_rng_state()
    first, again, other = weights(1), weights(1), weights(2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_weights_come_from_a_file_with_any_head(tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = models.mobilenet_v3_small(weights=None, num_classes=7)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    trunk = TorchvisionTrunk(SMALL, tmp_path / "weights.pth")
    own = network.state_dict()
    kept = trunk.network.state_dict()
    assert len(kept) > 100
    for key, value in kept.items():
        assert torch.equal(value, own[key]), key


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet1_1",  # whose maps are a pixel short
        pytest.param("vit_b_16", marks=pytest.mark.slow),
        pytest.param("swin_t", marks=pytest.mark.slow),  # whose channels come last
    ],
)
def test_networks_without_such_maps_are_refused(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TorchvisionTrunk(name)
    assert str(caught.value) == (
        f"--backbone torchvision:{name} has no maps at 1/4, 1/8 and 1/16 of the image's side; "
        "give a convolutional network such as torchvision:resnet18."
    )


def test_unknown_names_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no classification network 'resnet19'; did you mean"):
        TorchvisionTrunk("resnet19")
    with pytest.raises(CheckpointError, match=r"There is no weights file .*none\.pth"):
        TorchvisionTrunk(SMALL, tmp_path / "none.pth")
