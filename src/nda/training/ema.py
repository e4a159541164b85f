"""An exponential moving average of a network, and batch-norm statistics that fit it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

STANDING_BATCHES = 16  # of which standing statistics are taken


class Ema:
    """Averages parameters from `start` on; before it, and for buffers, it copies.

    Batch-norm statistics of averaged weights are not the average of statistics: estimate them
    anew with `standing_statistics` before sampling.
    """

    def __init__(self, source: nn.Module, *, decay: float, start: int) -> None:
        self.module = copy.deepcopy(source).requires_grad_(False)
        self.decay = decay
        self.start = start

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """Take in `source` as it is after `step` updates."""
        averages: list[Tensor] = list(self.module.parameters())
        parameters: list[Tensor] = list(source.parameters())
        if step <= self.start:
            torch._foreach_copy_(averages, parameters)
        else:
            torch._foreach_lerp_(averages, parameters, 1 - self.decay)
        for average, buffer in zip(self.module.buffers(), source.buffers(), strict=True):
            average.copy_(buffer)

    def state_dict(self) -> dict[str, Tensor]:
        return self.module.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.module.load_state_dict(state)


@torch.no_grad()
def standing_statistics(
    network: nn.Module,
    sample: Callable[[nn.Module], object],
    *,
    batches: int = STANDING_BATCHES,
) -> nn.Module:
    """A copy of `network` in eval mode whose batch norms hold the mean statistics of `batches`
    calls `sample(copy)` ("standing statistics", Brock et al., 2019).

    The calls also let the spectral norms, if any, settle on the copy's weights.
    """
    fresh = copy.deepcopy(network).train()
    for module in fresh.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over the batches
    for _ in range(batches):
        sample(fresh)
    return fresh.eval()
