"""BigGAN (Brock et al., 2019) in the form that the paper trains: 32, 64 and 128 pixels.

No hierarchical latent and no shared class embedding, as in the authors' settings. An unconditional
network is a conditional one with a single class, so `labels` may be left out there.

At 32 pixels and the default width the parameters number, for the generator and the discriminator,
4,276,739 and 4,205,057 (unconditional), 4,304,387 and 4,207,361 (ten classes).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from nda.errors import ConfigError

# Channels in units of `width`: the generator's from its 4 x 4 map on, a factor 2 in size each;
# the discriminator's block by block with whether the block halves the size.
_GENERATOR = {32: (4, 4, 4, 4), 64: (16, 16, 8, 4, 2), 128: (16, 16, 8, 4, 2, 1)}
_DISCRIMINATOR = {
    32: ((4, True), (4, True), (4, False), (4, False)),
    64: ((1, True), (2, True), (4, True), (8, True), (16, False)),
    128: ((1, True), (2, True), (4, True), (8, True), (16, True), (16, False)),
}
_ATTENTION_SIZE = 64  # self-attention follows the block that yields maps of this size
RESOLUTIONS = tuple(_GENERATOR)


class Generator(nn.Module):
    """Latents `(B, latent_dim)`, standard normal, to images `(B, 3, R, R)` in [-1, 1]."""

    def __init__(
        self, resolution: int = 32, *, width: int = 64, classes: int = 1, latent_dim: int = 128
    ) -> None:
        super().__init__()
        _check(resolution, width, classes)
        channels = [width * multiple for multiple in _GENERATOR[resolution]]
        self.latent_dim = latent_dim
        self.classes = classes
        self.linear = _normed(nn.Linear(latent_dim, 4 * 4 * channels[0]))
        self.blocks = nn.ModuleList()
        size = 4
        for inputs, outputs in pairwise(channels):
            size *= 2
            self.blocks.append(UpBlock(inputs, outputs, classes))
            if size == _ATTENTION_SIZE:
                self.blocks.append(SelfAttention(outputs))
        self.norm = nn.BatchNorm2d(channels[-1])
        self.conv = _normed(nn.Conv2d(channels[-1], 3, 3, padding=1))
        self.apply(_initialise)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        labels = _labels_or_zero(labels, latents, self.classes)
        maps = self.linear(latents).unflatten(1, (-1, 4, 4))  # (B, channels, 4, 4)
        for block in self.blocks:
            maps = block(maps, labels)
        return torch.tanh(self.conv(F.relu(self.norm(maps))))


class Discriminator(nn.Module):
    """Images `(B, 3, R, R)` in [-1, 1] to logits `(B,)`, high for real ones.

    Logit: a linear map of the summed features, plus their projection on the class embedding
    (Miyato and Koyama, 2018).
    """

    def __init__(self, resolution: int = 32, *, width: int = 64, classes: int = 1) -> None:
        super().__init__()
        _check(resolution, width, classes)
        self.resolution = resolution
        self.classes = classes
        self.blocks = nn.ModuleList()
        size, inputs = resolution, 3
        for index, (multiple, halves) in enumerate(_DISCRIMINATOR[resolution]):
            outputs = width * multiple
            self.blocks.append(DownBlock(inputs, outputs, halves=halves, first=index == 0))
            size, inputs = size // 2 if halves else size, outputs
            if halves and size == _ATTENTION_SIZE:
                self.blocks.append(SelfAttention(outputs))
        self.linear = _normed(nn.Linear(inputs, 1))
        self.embedding = _normed(nn.Embedding(classes, inputs))
        self.apply(_initialise)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.logits(self.features(images), labels)

    def features(self, images: Tensor) -> Tensor:
        """What was found in the whole image, `(B, channels)`."""
        maps = images
        for block in self.blocks:
            maps = block(maps)
        return F.relu(maps).sum(dim=(2, 3))

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """The logits `(B,)` of images with these features."""
        labels = _labels_or_zero(labels, features, self.classes)
        logits = self.linear(features).squeeze(1)
        return logits + (self.embedding(labels) * features).sum(dim=1)


class UpBlock(nn.Module):
    """Residual block of the generator; doubles the size."""

    def __init__(self, inputs: int, outputs: int, classes: int) -> None:
        super().__init__()
        self.norm1 = ClassBatchNorm(inputs, classes)
        self.conv1 = _normed(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.norm2 = ClassBatchNorm(outputs, classes)
        self.conv2 = _normed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = _normed(nn.Conv2d(inputs, outputs, 1))

    def forward(self, maps: Tensor, labels: Tensor) -> Tensor:
        hidden = F.interpolate(F.relu(self.norm1(maps, labels)), scale_factor=2)
        hidden = self.conv2(F.relu(self.norm2(self.conv1(hidden), labels)))
        # A 1x1 convolution and nearest enlargement commute; this order costs a quarter.
        return hidden + F.interpolate(self.shortcut(maps), scale_factor=2)


class DownBlock(nn.Module):
    """Residual block of the discriminator; the first one takes images and starts unactivated."""

    def __init__(self, inputs: int, outputs: int, *, halves: bool, first: bool) -> None:
        super().__init__()
        self.halves = halves
        self.first = first
        self.conv1 = _normed(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = _normed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut: nn.Module | None = None
        if halves or inputs != outputs:
            self.shortcut = _normed(nn.Conv2d(inputs, outputs, 1))

    def forward(self, maps: Tensor) -> Tensor:
        hidden = self.conv1(maps if self.first else F.relu(maps))
        hidden = self._shrink(self.conv2(F.relu(hidden)))
        # A 1x1 convolution and averaging commute; this order costs a quarter.
        skipped = self._shrink(maps)
        return hidden + (skipped if self.shortcut is None else self.shortcut(skipped))

    def _shrink(self, maps: Tensor) -> Tensor:
        return F.avg_pool2d(maps, 2) if self.halves else maps


class ClassBatchNorm(nn.Module):
    """Batch norm whose gain and bias belong to the class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(classes, channels)
        self.bias = nn.Embedding(classes, channels)

    def forward(self, maps: Tensor, labels: Tensor) -> Tensor:
        gain = 1 + self.gain(labels)[:, :, None, None]
        return torch.addcmul(self.bias(labels)[:, :, None, None], self.norm(maps), gain)


class SelfAttention(nn.Module):
    """Self-attention over the places of a map (Zhang et al., 2019); starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = _normed(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.key = _normed(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.value = _normed(nn.Conv2d(channels, channels // 2, 1, bias=False))
        self.output = _normed(nn.Conv2d(channels // 2, channels, 1, bias=False))
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor, labels: Tensor | None = None) -> Tensor:
        del labels  # the generator's blocks are given them
        query = self.query(maps).flatten(2).transpose(1, 2)  # (B, HW, C/8)
        key = F.max_pool2d(self.key(maps), 2).flatten(2).transpose(1, 2)  # (B, HW/4, C/8)
        value = F.max_pool2d(self.value(maps), 2).flatten(2).transpose(1, 2)  # (B, HW/4, C/2)
        attended = attend(query, key, value)
        attended = attended.transpose(1, 2).reshape(len(maps), -1, *maps.shape[-2:])
        return maps + self.gain * self.output(attended)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of `query` (B, N, Q) to `key` (B, M, Q) and `value` (B, M, V), (B, N, V); V >= Q.

    On a processor without ever holding the N x M matrix, which at 64 pixels was most of a step: its
    fused kernel takes a head and equal widths only, and zeros add nothing to a product.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, scale=1.0)
    zeros = (0, value.shape[-1] - query.shape[-1])
    query, key = F.pad(query, zeros).unsqueeze(1), F.pad(key, zeros).unsqueeze(1)
    value = value.contiguous().unsqueeze(1)
    return F.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)


def _normed(module: nn.Module) -> nn.Module:
    return spectral_norm(module, eps=1e-8)


def _initialise(module: nn.Module) -> None:
    """N(0, 0.02) for every weight, as the authors do; spectral norm's own estimate starts anew."""
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
        original = getattr(module, "parametrizations", None)
        weight = original.weight.original if original is not None else module.weight
        nn.init.normal_(weight, 0.0, 0.02)


def _labels_or_zero(labels: Tensor | None, batch: Tensor, classes: int) -> Tensor:
    if labels is not None:
        return labels
    if classes > 1:
        raise ConfigError(f"A network of {classes} classes needs labels; none were given.")
    return torch.zeros(len(batch), dtype=torch.long, device=batch.device)


def _check(resolution: int, width: int, classes: int) -> None:
    if resolution not in RESOLUTIONS:
        raise ConfigError(
            f"BigGAN is defined here for {', '.join(map(str, RESOLUTIONS))} pixels, not for "
            f"{resolution}; choose one of them with --resolution."
        )
    if width < 1 or classes < 1:
        raise ConfigError(f"width ({width}) and classes ({classes}) must be at least 1.")
    if resolution >= _ATTENTION_SIZE and width < 8:
        raise ConfigError(
            f"width is {width}; the attention at {_ATTENTION_SIZE} pixels needs at least 8."
        )
