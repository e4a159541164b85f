"""Many linear classifiers of the same features at once, to compare their learning rates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nda.errors import ConfigError

DEVIATION = 0.01  # of the first weights, as in MoCo's linear evaluation


class LinearHeads(nn.Module):
    """`heads` linear layers side by side: features `(B, D)` to logits float32 `(heads, B, C)`.

    All begin at the same weights, drawn from `seed`, so that they differ by their training alone.
    Computed in float32, also under mixed precision, where Fabric has rounded the features on their
    way here.
    """

    def __init__(self, heads: int, features: int, classes: int, *, seed: int = 0) -> None:
        super().__init__()
        for name, value in (("heads", heads), ("features", features), ("classes", classes)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; linear heads need at least 1.")
        rng = torch.Generator().manual_seed(seed)
        one = DEVIATION * torch.randn(features, classes, generator=rng)
        self.weight = nn.Parameter(one.repeat(heads, 1, 1))  # (heads, D, C)
        self.bias = nn.Parameter(torch.zeros(heads, classes))

    def forward(self, features: Tensor) -> Tensor:
        """Logits `(heads, B, C)`."""
        with torch.autocast(features.device.type, enabled=False):
            logits = torch.einsum("bd,hdc->hbc", features.float(), self.weight)
            return logits + self.bias[:, None]
