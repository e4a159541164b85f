"""Images from a GAN's averaged generator, whose batch norms have standing statistics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nda.data import to_uint8
from nda.training.ema import STANDING_BATCHES, standing_statistics
from nda.training.randomness import generator_for

TOGETHER = 250  # images made at once
STANDING = 64  # images in a batch of which statistics are taken
BATCH_NORM = f"standing statistics of {STANDING_BATCHES} batches of {STANDING}"  # in protocols


@dataclass(frozen=True)
class Sampler:
    """The averaged generator of a GAN, and what its inputs are drawn from."""

    network: nn.Module
    latent_dim: int
    labels: Tensor  # (N,), on the network's device, of which those of images are drawn
    seed: int  # of the run, which its standing statistics follow

    def draw_latents(self, count: int, draws: torch.Generator) -> Tensor:
        """Standard normal z `(count, latent_dim)`."""
        shape = (count, self.latent_dim)
        return torch.randn(shape, generator=draws, device=self.labels.device)

    def draw_labels(self, count: int, draws: torch.Generator) -> Tensor:
        """Labels `(count,)`, as frequent as in `labels`."""
        device = self.labels.device
        return self.labels[
            torch.randint(len(self.labels), (count,), generator=draws, device=device)
        ]

    def ready(self) -> nn.Module:
        """The generator in eval mode, with standing statistics."""
        draws = generator_for(self.seed, purpose="standing", device=self.labels.device)

        def sample(network: nn.Module) -> Tensor:
            return network(self.draw_latents(STANDING, draws), self.draw_labels(STANDING, draws))

        return standing_statistics(self.network, sample)

    @torch.no_grad()
    def generate(self, count: int, draws: torch.Generator, *, size: int = TOGETHER) -> Tensor:
        """`count` generated images, uint8 `(count, 3, R, R)` on the CPU, made `size` at a time."""
        network, parts = self.ready(), []
        for first in range(0, count, size):
            some = min(size, count - first)
            images = network(self.draw_latents(some, draws), self.draw_labels(some, draws))
            parts.append(to_uint8(images).cpu())
        return torch.cat(parts)

    def sample(self, count: int, seed: int) -> Tensor:
        """The images of `nda sample`, uint8 `(count, 3, R, R)`."""
        return self.generate(
            count, generator_for(seed, purpose="sample", device=self.labels.device)
        )
