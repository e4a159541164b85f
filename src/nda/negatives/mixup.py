"""Mixup: two images blended about evenly (Sinha et al., ICLR 2021, appendix B)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from nda.errors import ConfigError
from nda.negatives.base import (
    Negative,
    Params,
    check_partners,
    draw_device,
    draw_partners,
    params_of_samples,
    per_sample,
    to_device_like,
)
from nda.negatives.pixels.beta_quantiles import beta_quantiles
from nda.negatives.pixels.layout import samples

_LEVELS = 16384
_MARGIN = 1e-6  # weights keep this distance from 0 and 1, where a mix would be no mix


class Mixup(Negative):
    """Blend each image with another one, w × image + (1 - w) × partner, w from Beta(alpha, alpha).

    The weight is drawn for each sample; alpha = 25 keeps it near one half. Every sample serves
    exactly once as a partner and never as its own. uint8 results are rounded.

    `draw` yields `partner` `(B,)` int64 and `weight` `(B,)` float32, strictly between 0 and 1.

    Raises:
        ConfigError: where `alpha` is not positive and finite.
        ShapeError: for a batch of fewer than two.

    Examples:
        >>> images = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
        >>> mixed = nda.Mixup(alpha=25.0)(images)
        >>> bool(0 < mixed.min() and mixed.max() < 1)
        True
    """

    quantiles: Tensor

    def __init__(self, alpha: float = 25.0) -> None:
        super().__init__()
        if not (alpha > 0 and math.isfinite(alpha)):
            raise ConfigError(f"mixup was given alpha={alpha:g}; expected a positive number")
        self.alpha = alpha
        # Torch's own Beta takes no generator: a weight is one of 16384 equally likely quantiles,
        # at the midpoints of equal steps of probability.
        quantiles = beta_quantiles(alpha, (np.arange(_LEVELS) + 0.5) / _LEVELS)
        table = torch.from_numpy(quantiles).float()
        self.register_buffer("quantiles", table, persistent=False)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        device = draw_device(x, generator)
        rank = torch.randint(_LEVELS, (x.shape[0],), generator=generator, device=device)
        weight = to_device_like(self.quantiles, x)[to_device_like(rank, x)].float()
        return {
            "partner": draw_partners(x, generator),
            # A module cast to half precision has rounded its table, perhaps up to 1.
            "weight": weight.clamp(_MARGIN, 1 - _MARGIN),
        }

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        return self._mixed(x, samples(x, params["partner"]), params)

    def replay_of(self, x: Tensor, chosen: Tensor, params: Params) -> Tensor:
        params = params_of_samples(chosen, params)
        return self._mixed(samples(x, chosen), samples(x, params["partner"]), params)

    def _mixed(self, x: Tensor, partner: Tensor, params: Params) -> Tensor:
        """A blend of `x` and of `partner`, which is overwritten."""
        exact = torch.promote_types(x.dtype, torch.float32)
        mixed = partner.to(exact).lerp_(x.to(exact), per_sample(params["weight"], x).to(exact))
        if not x.is_floating_point():
            mixed = mixed.round_()
        return mixed.to(x.dtype)

    def check(self, x: Tensor) -> None:
        super().check(x)
        check_partners(x, "mixup")

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:g}"
