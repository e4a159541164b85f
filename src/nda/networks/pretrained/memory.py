"""A memory of patches of normal images (PatchCore: Roth et al., 2022), of bounded size.

Wherever in an image a patch lies, it is compared with all that are kept. Which are kept is decided
as they come, so the normal images may be many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nda.networks.pretrained.cover import Cover, nearest_squared
from nda.networks.pretrained.fitted_map import FittedMap

MOST_PATCHES = 2000  # kept
STRIDE = 8  # pixels of the image that a patch stands for


class MemoryMap(FittedMap):
    """Images `(B, 3, S, S)` in [-1, 1] to distances `(B, S / 8, S / 8)` from the nearest patch.

    A patch is what the trunk's maps at strides 8 and 16 say of a place in the mean over 3 × 3
    places, the coarser one enlarged. Of the patches of the normal images 2,000 are kept, such that
    the others are near them. The image's score is the distance of its strangest patch, without
    PatchCore's weight for how crowded its neighbourhood is.
    """

    pooling = "max"
    bank: Tensor

    def __init__(self, trunk: nn.Module, side: int, kept: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.register_buffer("bank", torch.zeros(self.room(side, kept), channels_of(trunk)))
        self.eval().requires_grad_(False)

    def room(self, side: int, kept: int) -> int:
        """How many patches are kept of so many images."""
        return min(MOST_PATCHES, kept * (side // STRIDE) ** 2)

    def measure(self, features: Sequence[Tensor]) -> Tensor:
        patches = patches_of(features)
        return nearest_squared(patches.flatten(0, 2), self.bank).sqrt().view(patches.shape[:3])

    def fit_features(self, batches: Iterable[Sequence[Tensor]]) -> None:
        """Keep patches of normal images; any is within `Cover.radius` of one that is kept."""
        cover = Cover(len(self.bank))
        for features in batches:
            cover.add(patches_of(features).flatten(0, 2))
        self.bank.copy_(cover.settle())


def channels_of(trunk: nn.Module) -> int:
    """How wide a patch is."""
    channels: tuple[int, ...] = trunk.channels  # type: ignore[assignment]  # of a Trunk
    return sum(channels[1:3])


def patches_of(features: Sequence[Tensor]) -> Tensor:
    """The patches `(B, h, w, C)` of images whose maps from fine to coarse are given."""
    fine, coarse = (F.avg_pool2d(level, 3, stride=1, padding=1) for level in features[1:3])
    large = F.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=False)
    return torch.cat([fine, large], dim=1).permute(0, 2, 3, 1)
