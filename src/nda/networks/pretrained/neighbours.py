"""Distance to the nearest normal images in pooled features (DN2: Bergman et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.networks.pretrained.fitted_map import FittedMap

NEAREST = 2  # as published
MOST_KEPT = 10_000  # images: what is kept and the time of a search stay bounded


class NeighbourMap(FittedMap):
    """Images `(B, 3, S, S)` in [-1, 1] to a map `(B, h, w)` whose mean is the image's distance.

    The distance is one less the cosine between an image's pooled features and those of its nearest
    normal images, in the mean over two of them. It is a mean over places, so each place has its
    share: that is the map, as coarse as the trunk's last.
    """

    pooling = "mean"
    bank: Tensor

    def __init__(self, trunk: nn.Module, kept: int) -> None:
        super().__init__()
        self.trunk = trunk
        channels: int = trunk.channels[-1]  # type: ignore[index, assignment]  # of a Trunk
        self.register_buffer("bank", torch.zeros(kept, channels))
        self.eval().requires_grad_(False)

    def measure(self, features: Sequence[Tensor]) -> Tensor:
        return shares(features[-1], self.bank)

    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Keep the pooled features of normal images, or of as many as there is room for, evenly."""
        self.keep(torch.cat([features[-1].mean(dim=(2, 3)) for features in batches]))

    def keep(self, pooled: Tensor) -> None:
        """Take these pooled features `(N, channels)` for those of normal images."""
        spread = torch.linspace(0, len(pooled) - 1, len(self.bank), device=pooled.device)
        self.bank.copy_(F.normalize(pooled, dim=1)[spread.round().long()])


def shares(top: Tensor, bank: Tensor) -> Tensor:
    """What each place of maps `(B, C, h, w)` adds to the image's distance from a bank `(N, C)`."""
    pooled = top.mean(dim=(2, 3))
    length = pooled.square().sum(dim=1, keepdim=True).sqrt().clamp(min=1e-6)
    nearest = ((pooled / length) @ bank.t()).topk(min(NEAREST, len(bank))).indices
    towards = bank[nearest].mean(dim=1) / length  # (B, C)
    return 1 - (top * towards[:, :, None, None]).sum(dim=1)
