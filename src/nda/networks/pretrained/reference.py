"""A backbone that sees images beside a template of what they should show: it gives differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nda.networks.pretrained.registration import Registration


class ReferenceTrunk(nn.Module):
    """Images `(B, 3, S, S)` in [-1, 1] to maps of `trunk`, less those of their template.

    The template that an image fits best is first moved and lit as the image is. Where the image
    goes on beyond it there is no difference.
    """

    def __init__(self, trunk: nn.Module, side: int, count: int) -> None:
        super().__init__()
        self.trunk: Any = trunk
        self.channels: Sequence[int] = trunk.channels  # type: ignore[assignment]  # of a Trunk
        self.registration = Registration(side, count)

    def forward(self, images: Tensor) -> list[Tensor]:
        both = self.trunk(torch.cat([images, self.registration(images)]))
        pairs = (level.unflatten(0, (2, -1)) for level in both)  # an export fixes what chunk gives
        return [of_image - of_template for of_image, of_template in pairs]
