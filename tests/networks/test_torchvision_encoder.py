"""torchvision's networks without their heads, and weights files that are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms.v2 import functional as v2

from nda.errors import CheckpointError, ConfigError, UserError
from nda.networks.torchvision_encoder import TorchvisionEncoder, encoder_names, parse_model


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def some_images(count: int = 2, side: int = 48) -> Tensor:
    g = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, side, side, generator=g) * 2 - 1


def original(name: str, **settings: Any) -> nn.Module:
    """torchvision's own network, with statistics as if it had been trained."""
    if name == "googlenet":
        settings |= {"init_weights": True, "transform_input": True}
    torch.manual_seed(1)
    network: nn.Module = models.get_model(name, weights=None, **settings)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            part.running_mean.normal_(std=0.1)
    return network.eval()


SMALL = "shufflenet_v2_x0_5"  # 1024 features


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights of the smallest network."""
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(original(SMALL).state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("mobilenet_v3_small", "classifier.3"),
        ("shufflenet_v2_x0_5", "fc"),
        pytest.param("resnet18", "fc", marks=pytest.mark.slow),
        pytest.param("googlenet", "fc", marks=pytest.mark.slow),
    ],
)
def test_the_head_on_the_features_gives_the_networks_own_logits(
    name: str, head: str, tmp_path: Path
) -> None:
    network, images = original(name), some_images()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    encoder = TorchvisionEncoder(name, tmp_path / "weights.pth", input_size=64)
    pixels = F.interpolate((images + 1) / 2, (64, 64), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = network(v2.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        features = encoder(images)
        logits = network.get_submodule(head)(features)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    assert not features.requires_grad


def test_a_head_that_is_a_convolution_is_left_out_before_the_pooling() -> None:
    encoder = TorchvisionEncoder("squeezenet1_1", input_size=64)
    maps = encoder.network.get_submodule("features")
    with torch.no_grad():
        x = (some_images(side=64) + 1) / 2
        inside = maps(v2.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        expected = inside.relu().mean(dim=(2, 3))
        torch.testing.assert_close(encoder(some_images(side=64)), expected)


def test_random_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same = (TorchvisionEncoder(SMALL, seed=3, input_size=32) for _ in range(2))
    other = TorchvisionEncoder(SMALL, seed=4, input_size=32)
    assert torch.equal(torch.get_rng_state(), before)
    images = some_images()
    assert torch.equal(one(images), same(images))
    assert not torch.equal(one(images), other(images))
    assert one(images).shape == (2, 1024)
    assert not one.training


@pytest.mark.parametrize("side", [32, 112, 150])
def test_images_of_any_size_are_seen_at_the_input_size(side: int) -> None:
    seen: list[tuple[int, ...]] = []
    encoder = TorchvisionEncoder(SMALL)
    encoder.network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    assert encoder(some_images(side=side)).shape == (2, 1024)
    assert seen == [(2, 3, 112, 112)]


def test_the_head_of_the_file_may_be_another_or_none(small: Path, tmp_path: Path) -> None:
    expected = TorchvisionEncoder(SMALL, small, input_size=32)(some_images())
    weights = torch.load(small, weights_only=True)
    fewer = weights | {"fc.weight": torch.zeros(10, 1024), "fc.bias": torch.zeros(10)}
    layers = {k: v for k, v in weights.items() if not k.startswith("fc.")}
    deeper = layers | {
        "fc.0.weight": torch.zeros(1024, 1024),
        "fc.2.weight": torch.zeros(128, 1024),
    }
    uncounted = {k: v for k, v in layers.items() if not k.endswith("num_batches_tracked")}
    for each in (fewer, layers, deeper, uncounted):
        torch.save(each, tmp_path / "weights.pth")
        encoder = TorchvisionEncoder(SMALL, tmp_path / "weights.pth", input_size=32)
        assert torch.equal(encoder(some_images()), expected)


@pytest.mark.slow
def test_the_names_of_published_densenets_are_understood(tmp_path: Path) -> None:
    weights = original("densenet121").state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): value
        for key, value in weights.items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(weights, tmp_path / "new.pth")
    torch.save(old, tmp_path / "old.pth")
    new, same = (
        TorchvisionEncoder("densenet121", tmp_path / f"{which}.pth", input_size=32)
        for which in ("new", "old")
    )
    assert torch.equal(new(some_images()), same(some_images()))


def refused(kind: type[UserError], *arguments: Any, **settings: Any) -> str:
    with pytest.raises(kind) as caught:
        TorchvisionEncoder(*arguments, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage2.0.branch1.0.weight": None}, "1 missing (stage2.0.branch1.0.weight)"),
        ({"extra": torch.zeros(1)}, "1 unexpected (extra)"),
        ({"conv1.0.weight": torch.zeros(24, 3, 7, 7)}, "1 of another shape (conv1.0.weight)"),
    ],
    ids=["missing", "unexpected", "another shape"],
)
def test_weights_that_do_not_fit(
    small: Path, tmp_path: Path, changes: dict[str, Tensor | None], message: str
) -> None:
    weights = torch.load(small, weights_only=True) | changes
    path = tmp_path / "weights.pth"
    torch.save({k: v for k, v in weights.items() if v is not None}, path)
    said = refused(CheckpointError, SMALL, path)
    assert said.startswith(
        f"{path} does not hold the weights of torchvision's {SMALL}: {message}. Give"
    )


def test_weights_of_another_network(small: Path) -> None:
    said = refused(CheckpointError, "shufflenet_v2_x1_0", small)
    assert " of another shape (" in said
    said = refused(CheckpointError, "mobilenet_v3_small", small)
    assert " missing (" in said
    assert " unexpected (" in said
    assert " and " in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnt18", "no classification network 'resnt18'; did you mean 'resnet18'?"),
        ("ResNet50", "did you mean 'resnet50'?"),
        ("fasterrcnn_resnet50_fpn", "no classification network 'fasterrcnn_resnet50_fpn'; "),
        ("zzz", "no classification network 'zzz'; give one such as 'resnet18'"),
        ("", "no classification network ''; give one such as 'resnet18'"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    assert message in refused(ConfigError, name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.pth"
    said = refused(CheckpointError, SMALL, path)
    assert said.startswith(f"There is no weights file {path}. ")
    assert "nothing is downloaded" in said


def test_a_file_with_code(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": Trap(tmp_path / "trapped")}, path)
    said = refused(CheckpointError, SMALL, path)
    assert f"{path} is damaged or holds pickled code, which is never run" in said
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 cut short"])
def test_a_file_that_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    said = refused(CheckpointError, SMALL, path)
    assert str(path) in said
    assert "damaged" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}, "epoch": 3}, "it holds state_dict, epoch. Save the network's"),
        ([torch.zeros(2)], "it holds no state dict."),
    ],
)
def test_a_file_that_is_no_state_dict(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert message in refused(CheckpointError, SMALL, path)


def test_input_sizes() -> None:
    assert "input_size is 16; these networks need at least 32" in refused(
        ConfigError, "resnet18", input_size=16
    )
    assert "input_size is 64, but vit_b_16 takes images of 224 pixels only" in refused(
        ConfigError, "vit_b_16", input_size=64
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b_32", "efficientnet_b0"])
def test_other_families(name: str) -> None:
    encoder = TorchvisionEncoder(name)
    assert encoder.input_size == (224 if name == "vit_b_32" else 112)
    assert encoder(some_images()).dim() == 2


def test_models_as_they_are_written() -> None:
    assert parse_model("torchvision:resnet18") == ("resnet18", None)
    assert parse_model("torchvision:resnet18:a/b.pth") == ("resnet18", Path("a/b.pth"))
    assert parse_model("torchvision:vit_b_16:c:/b.pth") == ("vit_b_16", Path("c:/b.pth"))
    assert "resnet18" in encoder_names()
    assert not [name for name in encoder_names() if "rcnn" in name or "quantized" in name]
