"""The network of the anomaly recipe: shapes, gradients, and exposure that does not matter."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nda.networks.anomaly_map import STRIDES, AnomalyMap, PlainTrunk, Residual, standardise


def network(width: int = 8) -> AnomalyMap:
    torch.manual_seed(0)
    return AnomalyMap(PlainTrunk(width), width)


def some_images(count: int = 3, height: int = 64, width: int = 64) -> Tensor:
    """Soft blobs within a half of the range of values."""
    rng = torch.Generator().manual_seed(0)
    small = torch.rand(count, 3, height // 8, width // 8, generator=rng)
    return F.interpolate(small, (height, width), mode="bilinear") - 0.5


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (48, 80)])
def test_the_map_is_a_quarter_of_the_image(height: int, width: int) -> None:
    images = some_images(2, height, width)
    assert network()(images).shape == (2, height // 4, width // 4)
    maps = PlainTrunk(8)(images)
    for level, stride, channels in zip(maps, STRIDES, (8, 16, 32), strict=True):
        assert level.shape == (2, channels, height // stride, width // stride)


@pytest.mark.parametrize("width", [2, 8, 16])
def test_channels_are_those_that_are_promised(width: int) -> None:
    trunk = PlainTrunk(width)
    assert [level.shape[1] for level in trunk(some_images())] == list(trunk.channels)


def test_every_parameter_gets_a_gradient() -> None:
    net = network()
    net(some_images()).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_learning_begins_where_few_places_are_anomalous() -> None:
    net = network().eval()
    torch.nn.init.zeros_(net.out.weight)
    assert torch.allclose(net(some_images()).sigmoid(), torch.tensor(0.02))


def test_a_shortcut_is_a_convolution_only_where_the_shape_changes() -> None:
    assert isinstance(Residual(4, 4).shortcut, torch.nn.Identity)
    for block in (Residual(4, 8), Residual(4, 4, stride=2)):
        assert isinstance(block.shortcut, torch.nn.Conv2d)


def test_a_place_hardly_depends_on_what_is_far_away_alone() -> None:
    """The map lies as the image does: what changes at one corner shows there most."""
    net = network().eval()
    images = some_images(1)
    changed = images.clone()
    changed[..., :8, :8] = 0.5
    difference = (net(changed) - net(images)).abs()[0]
    row, column = divmod(int(difference.argmax()), 16)
    assert (row < 4, column < 4) == (True, True)


# --- exposure


@pytest.mark.parametrize(("contrast", "brightness"), [(0.5, 0.0), (1.5, 0.2), (1.0, -0.4)])
def test_contrast_and_brightness_hardly_matter(contrast: float, brightness: float) -> None:
    net, images = network().eval(), some_images()
    logits = net(images)
    spread = float(logits.detach().std())  # of the places: what there is to be changed
    change = (net(contrast * images + brightness) - logits).abs()
    assert change.mean() < 0.1 * spread
    if contrast == 1:
        assert change.max() < 0.002 * spread
    upside_down = (net(images.flip(-2)) - logits).abs()
    assert upside_down.mean() > 0.5 * spread


def test_each_image_is_standardised_by_itself() -> None:
    images = some_images() * torch.tensor([1.0, 0.3, 0.1]).view(3, 1, 1, 1) + 0.2
    result = standardise(images)
    for image, found in zip(images, result, strict=True):
        values = image.double()
        deviation = (values - values.mean()).square().mean().sqrt()
        expected = (values - values.mean()) / (deviation + 0.02)
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(standardise(images[1:2]), result[1:2])


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.3, 1.0])
def test_a_flat_image_gives_finite_logits(value: float) -> None:
    flat = torch.full((2, 3, 32, 32), value)
    assert standardise(flat).abs().max() < 1e-3
    for mode in (True, False):
        assert network().train(mode)(flat).isfinite().all()


def test_a_flat_image_in_the_batch_leaves_the_gradients_finite() -> None:
    net, images = network(), some_images()
    images[0] = 0.25
    net(images).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
