"""Images from a GAN's averaged generator, whose batch norms have standing statistics."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn

from nda.data import to_uint8
from nda.runtime.seeding import generator_for
from nda.training.ema import STANDING_BATCHES, standing_statistics

BATCH_SIZE = 250  # images made at once
TRIED = 8  # images made to see what they cost
BLOCK = 4096  # bytes that a small file takes on a disk at least
STANDING = 64  # images in a batch of which statistics are taken
BATCH_NORM = f"standing statistics of {STANDING_BATCHES} batches of {STANDING}"  # in protocols


@dataclass(frozen=True)
class Sampler:
    """The averaged generator of a GAN, and what its inputs are drawn from."""

    network: nn.Module
    latent_dim: int
    labels: Tensor  # (N,), on the network's device, of which those of images are drawn
    seed: int  # of the run, which its standing statistics follow

    def draw_latents(self, count: int, rng: torch.Generator) -> Tensor:
        """Standard normal z `(count, latent_dim)`."""
        shape = (count, self.latent_dim)
        return torch.randn(shape, generator=rng, device=self.labels.device)

    def draw_labels(self, count: int, rng: torch.Generator) -> Tensor:
        """Labels `(count,)`, as frequent as in `labels`."""
        device = self.labels.device
        return self.labels[torch.randint(len(self.labels), (count,), generator=rng, device=device)]

    def ready(self) -> nn.Module:
        """The generator in eval mode, with standing statistics."""
        rng = generator_for(self.seed, purpose="standing", device=self.labels.device)

        def sample(network: nn.Module) -> Tensor:
            return network(self.draw_latents(STANDING, rng), self.draw_labels(STANDING, rng))

        return standing_statistics(self.network, sample)

    def generate(self, count: int, rng: torch.Generator, *, size: int = BATCH_SIZE) -> Tensor:
        """`count` generated images, uint8 `(count, 3, R, R)` on the CPU, made `size` at a time."""
        return torch.cat(list(self.generated(count, rng, size=size)))

    def generated(
        self, count: int, rng: torch.Generator, *, size: int = BATCH_SIZE
    ) -> Iterator[Tensor]:
        """The images of `generate`, `size` at a time."""
        network = self.ready()
        for first in range(0, count, size):
            some = min(size, count - first)
            with torch.no_grad():
                images = network(self.draw_latents(some, rng), self.draw_labels(some, rng))
                yield to_uint8(images).cpu()

    def sample(self, count: int, seed: int) -> Tensor:
        """The images of `nda sample`, uint8 `(count, 3, R, R)`."""
        return torch.cat(list(self.sampled(count, seed)))

    def sampled(self, count: int, seed: int) -> Iterator[Tensor]:
        """The images of `sample`, some at a time."""
        rng = generator_for(seed, purpose="sample", device=self.labels.device)
        return self.generated(count, rng)

    @property
    def resolution(self) -> int:
        """Side of the images."""
        return int(self._some(1).shape[-1])

    def cost(self) -> tuple[float, float]:
        """Seconds and bytes of a PNG that an image takes; some are made to see."""
        self._some(TRIED)  # the first ones take longer
        began, size = time.perf_counter(), 0
        for image in to_uint8(self._some(TRIED)).cpu():
            file = io.BytesIO()
            Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(file, "PNG")
            size += -(-file.tell() // BLOCK) * BLOCK
        return (time.perf_counter() - began) / TRIED, size / TRIED

    @torch.no_grad()
    def _some(self, count: int) -> Tensor:
        """Images of draws that no other depends on, floating `(count, 3, R, R)`."""
        rng = generator_for(0, purpose="cost", device=self.labels.device)
        network = self.network.eval()
        images: Tensor = network(self.draw_latents(count, rng), self.draw_labels(count, rng))
        return images
