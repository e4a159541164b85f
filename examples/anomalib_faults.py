"""Fault negatives in place of anomalib's synthetic-anomaly generator.

anomalib's `PerlinAnomalyGenerator` is called with a batch of images in [0, 1] and gives the images
with faults and their masks; `nda.WithMask` is called the same way. Its models that learn from
synthetic anomalies hold it as an attribute:

    model = anomalib.models.Draem()
    model.augmenter = faults()            # Dsr: model.perlin_generator
    anomalib.engine.Engine().fit(model, datamodule=...)

Below, the loop that such a model runs, without anomalib: a network learns from normal images alone
where a fault is. Run it with `python examples/anomalib_faults.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import nda

Generator = Callable[[Tensor], tuple[Tensor, Tensor]]  # (B, C, H, W) to images and (B, 1, H, W)


def faults() -> nda.WithMask:
    """Cracks, scars, stains and pasted patches on half of the images, as anomalib's own are."""
    members = [nda.Crack(), nda.Scar(), nda.Stain(), nda.Paste(labels="graded")]
    return nda.WithMask(nda.OneOf(members), probability=0.5)


def surfaces(count: int, side: int = 64) -> Tensor:
    """Normal images in [0, 1]: smooth, softly striped surfaces."""
    across = torch.linspace(0, 12, side).expand(side, side)
    phase, level = torch.rand(count, 1, 1, 1), 0.4 + 0.2 * torch.rand(count, 1, 1, 1)
    return (level + 0.05 * (across + 6.28 * phase).sin()).expand(-1, 3, -1, -1)


def train(generator: Generator, steps: int = 150, batch_size: int = 16) -> nn.Module:
    """A small network that says of each place whether it belongs to a fault."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for above, below in ((3, 16), (16, 16), (16, 16)):
        layers += [nn.Conv2d(above, below, 5, padding=2), nn.BatchNorm2d(below), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Conv2d(16, 1, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        images, masks = generator(surfaces(batch_size))
        loss = F.binary_cross_entropy_with_logits(network(images), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def main(steps: int = 150) -> float:
    """How often a faulty surface scores above a faultless one: 0.5 is guessing."""
    network = train(faults(), steps)
    normal = surfaces(100)
    faulty, _ = nda.WithMask(nda.Crack())(surfaces(100))
    with torch.no_grad():
        scores = [network(images).flatten(1).amax(1) for images in (normal, faulty)]
    return float((scores[1][:, None] > scores[0]).float().mean())


if __name__ == "__main__":
    print(f"AUROC of cracks, learned from normal surfaces alone: {main():.2f}")
