"""A memory of patches, with every group of normal images left out in turn (see `left_out`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from nda.networks.pretrained.cover import greedy_cover, squared_parts
from nda.networks.pretrained.memory import STRIDE, MemoryMap, patches_of

MOST_OF_ALL = 10_000  # patches, of all groups together


class LeftOutMemory(MemoryMap):
    """As `MemoryMap`, of the fit that an image surprises least, each to all groups but one.

    `owners` int64 `(N,)` says of which of three groups or more each of the N images is. Each group
    keeps patches of its own, equally many, so that leaving it out leaves those of the others as
    they are; whether an image comes sooner or later is all the same.
    """

    owners: Tensor

    def __init__(self, trunk: nn.Module, side: int, owners: Tensor) -> None:
        self.groups = int(owners.max()) + 1
        super().__init__(trunk, side, self.groups)
        self.register_buffer("owners", owners.clone())

    def room(self, side: int, kept: int) -> int:
        own = max(1, min(MOST_OF_ALL // kept, (side // STRIDE) ** 2))
        return own * kept

    def measure(self, features: Sequence[Tensor]) -> Tensor:
        patches = patches_of(features)
        near = self.of_groups(patches).topk(2, dim=2, largest=False)
        nearest, second = near.values.unbind(dim=2)  # (B, places), of two groups
        # Without a group only those patches are further away that its own was nearest to.
        every = torch.arange(self.groups, device=patches.device)
        owned = near.indices[:, :, :1] == every
        worst = (owned * second[:, :, None]).amax(dim=1)  # (B, groups)
        least = worst.argmin(dim=1)
        without = near.indices[:, :, 0] == least[:, None]
        return torch.where(without, second, nearest).sqrt().view(patches.shape[:3])

    def without_own(self, features: Sequence[Tensor], numbers: Tensor) -> Tensor:
        """Maps `(B, h, w)` of the normal images `numbers` `(B,)`, their groups left out."""
        patches = patches_of(features)
        own = self.owners[numbers][:, None, None] == torch.arange(
            self.groups, device=patches.device
        )
        distances = self.of_groups(patches).masked_fill(own, float("inf"))
        return distances.amin(dim=2).sqrt().view(patches.shape[:3])

    def of_groups(self, patches: Tensor) -> Tensor:
        """Squared distances `(B, places, groups)` to the nearest patch of each group."""
        own = len(self.bank) // self.groups
        size = max(1, 1000 // own) * own  # whole groups
        found = [
            part.unflatten(1, (-1, own)).amin(dim=2)
            for part in squared_parts(patches.flatten(0, 2), self.bank, size)
        ]
        places = patches.shape[1] * patches.shape[2]
        return torch.cat(found, dim=1).view(-1, places, self.groups)

    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        patches = torch.cat([patches_of(features) for features in batches])
        own = len(self.bank) // self.groups
        for group in range(self.groups):
            points = patches[self.owners == group].flatten(0, 2)
            rows, _ = greedy_cover(points, own)
            self.bank[group * own : (group + 1) * own] = points[rows]
