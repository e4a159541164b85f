"""Encoders against torchvision's own, their stems, widths and seeds."""

from __future__ import annotations

import pytest
import torch
from torchvision import models

from nda.errors import ConfigError
from nda.networks.resnet import ENCODERS, build_encoder, feature_dim


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_at_the_published_width_it_is_torchvisions(name: str) -> None:
    encoder = build_encoder(name).eval()
    published = models.get_model(name)
    published.fc = torch.nn.Identity()
    published.load_state_dict(encoder.state_dict())
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(published.eval()(x), encoder(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("width", [8, 64])
def test_features_have_the_promised_size(name: str, width: int) -> None:
    encoder = build_encoder(name, width=width).eval()
    assert encoder(torch.rand(2, 3, 32, 32)).shape == (2, feature_dim(name, width))
    assert encoder.conv1.out_channels == width


def test_small_images_keep_their_size_in_the_stem() -> None:
    encoder = build_encoder("cifar_resnet18", width=8)
    x = encoder.maxpool(encoder.conv1(torch.rand(1, 3, 32, 32)))
    assert x.shape == (1, 8, 32, 32)
    assert build_encoder("resnet18", width=8).conv1(torch.rand(1, 3, 32, 32)).shape[-1] == 16


def test_weights_follow_from_the_seed_and_leave_the_global_state() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (build_encoder("resnet18", width=8, seed=s) for s in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    for name, weights in one.state_dict().items():
        assert torch.equal(weights, same.state_dict()[name]), name
    assert not torch.equal(one.conv1.weight, other.conv1.weight)


def test_activations_neither_vanish_nor_explode_in_a_narrow_network() -> None:
    encoder = build_encoder("cifar_resnet18", width=8)
    features = encoder(torch.randn(16, 3, 32, 32))
    assert 0.05 < float(features.detach().std(dim=0).mean()) < 5


def test_unknown_names_and_widths_are_refused() -> None:
    with pytest.raises(ConfigError, match="network is 'resnet19'; give one of cifar_resnet18"):
        build_encoder("resnet19")
    with pytest.raises(ConfigError, match="width is 0"):
        build_encoder("resnet18", width=0)
