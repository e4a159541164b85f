"""BigGAN's forward passes against the same written out, at every resolution."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.networks.biggan import (
    RESOLUTIONS,
    ClassBatchNorm,
    Discriminator,
    Generator,
    SelfAttention,
    attend,
)

LABELS = torch.tensor([2, 0])


def stirred(network: nn.Module) -> Any:
    """The network in eval mode, with no parameter and no statistic where it started."""
    torch.manual_seed(0)
    network(*inputs_of(network), LABELS)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith((".bias", "gain", "gain.weight", "norm.weight")):
                parameter.add_(torch.randn_like(parameter))
    return network.double().eval()


def inputs_of(network: nn.Module) -> tuple[Tensor]:
    torch.manual_seed(1)
    dtype = next(network.parameters()).dtype
    if isinstance(network, Generator):
        return (torch.randn(2, network.latent_dim, dtype=dtype),)
    assert isinstance(network, Discriminator)
    side = network.resolution
    return (torch.rand(2, 3, side, side, dtype=dtype) * 2 - 1,)


def conv(layer: Any, maps: Tensor) -> Tensor:
    return F.conv2d(maps, layer.weight, layer.bias, padding=layer.weight.shape[-1] // 2)


def enlarged(maps: Tensor) -> Tensor:
    return maps.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def halved(maps: Tensor) -> Tensor:
    return maps.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean(dim=(3, 5))


def class_norm(layer: Any, maps: Tensor) -> Tensor:
    mean, variance = (v[:, None, None] for v in (layer.norm.running_mean, layer.norm.running_var))
    normed = (maps - mean) / (variance + 1e-5).sqrt()
    gain, bias = (table.weight[LABELS][:, :, None, None] for table in (layer.gain, layer.bias))
    return (1 + gain) * normed + bias


def up(block: Any, maps: Tensor) -> Tensor:
    hidden = conv(block.conv1, enlarged(class_norm(block.norm1, maps).relu()))
    hidden = conv(block.conv2, class_norm(block.norm2, hidden).relu())
    return hidden + conv(block.shortcut, enlarged(maps))


def down(block: Any, maps: Tensor, *, first: bool, halves: bool) -> Tensor:
    """Activated before each convolution but for the image itself; nothing on the skip."""
    hidden = conv(block.conv1, maps if first else maps.relu())
    hidden = conv(block.conv2, hidden.relu())
    skipped = maps if block.shortcut is None else conv(block.shortcut, maps)
    return halved(hidden) + halved(skipped) if halves else hidden + skipped


def attention(block: Any, maps: Tensor) -> Tensor:
    query, key, value = (conv(c, maps) for c in (block.query, block.key, block.value))
    key, value = (F.max_pool2d(each, 2).flatten(2) for each in (key, value))
    weights = torch.einsum("bci,bcj->bij", query.flatten(2), key).softmax(dim=2)
    mixed = torch.einsum("bij,bcj->bci", weights, value).view(*value.shape[:2], *maps.shape[2:])
    return maps + block.gain * conv(block.output, mixed)


@pytest.mark.parametrize("resolution", RESOLUTIONS[:2])  # all kinds of blocks are in these
def test_the_generator(resolution: int) -> None:
    network = stirred(Generator(resolution, width=8, classes=3))
    (latents,) = inputs_of(network)
    maps = F.linear(latents, network.linear.weight, network.linear.bias).view(2, -1, 4, 4)
    for block in network.blocks:
        maps = attention(block, maps) if isinstance(block, SelfAttention) else up(block, maps)
    norm = network.norm
    maps = F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    torch.testing.assert_close(network(latents, LABELS), conv(network.conv, maps.relu()).tanh())


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_discriminator(resolution: int) -> None:
    network = stirred(Discriminator(resolution, width=8, classes=3))
    (maps,) = images = inputs_of(network)
    size = {32: 8}.get(resolution, 4)  # of the last map
    first = True
    for block in network.blocks:
        if isinstance(block, SelfAttention):
            maps = attention(block, maps)
        else:
            maps = down(block, maps, first=first, halves=maps.shape[-1] > size)
        first = False
    features = maps.relu().sum(dim=(2, 3))
    wanted = features @ network.linear.weight[0] + network.linear.bias
    wanted = wanted + (network.embedding.weight[LABELS] * features).sum(dim=1)
    torch.testing.assert_close(network(*images, LABELS), wanted)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_attention_stands_at_64_pixels_alone(resolution: int) -> None:
    sizes: list[int] = []
    for network in (Generator(resolution, width=8), Discriminator(resolution, width=8)):
        for module in network.modules():
            if isinstance(module, SelfAttention):
                module.register_forward_hook(lambda *call: sizes.append(call[2].shape[-1]))
        network(*inputs_of(network))
    # A discriminator of images of 64 pixels halves them before it has a map to attend to.
    assert sizes == {32: [], 64: [64], 128: [64, 64]}[resolution]


def test_attention_has_no_biases() -> None:
    names = [name for name, _ in SelfAttention(16).named_parameters()]
    assert len(names) == 5  # four convolutions and a gain
    assert not any(name.endswith("bias") for name in names)


def test_class_norms_start_as_plain_ones() -> None:
    norm = ClassBatchNorm(4, 3)
    nn.init.zeros_(norm.gain.weight)
    nn.init.zeros_(norm.bias.weight)
    maps = torch.randn(2, 4, 5, 5)
    plain = F.batch_norm(maps, None, None, training=True)
    torch.testing.assert_close(norm(maps, LABELS), plain)


def test_attention_and_its_gradients_are_those_of_its_formula() -> None:
    parts = [torch.randn(2, *shape, requires_grad=True) for shape in [(6, 2), (5, 2), (5, 8)]]
    query, key, value = parts
    weights = torch.randn(2, 6, 8)
    plain = (query @ key.transpose(1, 2)).softmax(2) @ value
    torch.testing.assert_close(attend(query, key, value), plain)
    expected = torch.autograd.grad((weights * plain).sum(), parts)
    found = torch.autograd.grad((weights * attend(query, key, value)).sum(), parts)
    torch.testing.assert_close(found, expected)


def test_on_a_processor_attention_is_given_what_its_fused_kernel_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A head, and queries, keys and values of one width."""
    shapes: list[list[torch.Size]] = []
    attention: Any = F.scaled_dot_product_attention

    def spy(*parts: Tensor, scale: float) -> Tensor:
        shapes.append([part.shape for part in parts])
        found: Tensor = attention(*parts, scale=scale)
        return found

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    attend(torch.randn(2, 6, 2), torch.randn(2, 5, 2), torch.randn(2, 5, 8))
    assert shapes == [[(2, 1, 6, 8), (2, 1, 5, 8), (2, 1, 5, 8)]]


class OnCard(Tensor):
    """Says that it lies on a card."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda")


def test_on_a_card_attention_is_the_same() -> None:
    query, key, value = (torch.randn(2, *shape) for shape in [(6, 2), (5, 2), (5, 8)])
    found = attend(query.as_subclass(OnCard), key, value)
    plain = (query @ key.transpose(1, 2)).softmax(2) @ value
    torch.testing.assert_close(found.as_subclass(Tensor), plain)
