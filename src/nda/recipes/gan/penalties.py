"""The penalties on a discriminator's slopes that a GAN's settings ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nda.objectives import gradient_penalty, sample_mixture, zero_centred_penalty
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.losses import Logs, Shown

Critic = Callable[[Tensor, Tensor], Tensor]  # images (B, 3, R, R) and labels (B,) to logits (B,)


def penalties(
    config: GanConfig,
    discriminator: Any,
    shown: Shown,
    others: list[Tensor],
    weight: float | Tensor,
    rng: torch.Generator,
) -> tuple[Tensor | float, Logs]:
    """What they add to the discriminator's loss, and each as it is logged, without its weight.

    `others` is what real images are held against, in the one or two parts of a mixture by `weight`,
    which is λ.
    """
    total: Tensor | float = 0.0
    logs: Logs = {}
    if not (config.gradient_penalty or config.zero_centred_penalty):
        return total, logs
    critic = discriminator.module.forward  # plain: see gradient_penalty
    if config.gradient_penalty:
        logs["gradient_penalty"] = between(critic, shown, others, weight, rng)
        total = config.gradient_penalty * logs["gradient_penalty"]
    if config.zero_centred_penalty:
        both, labels = torch.cat([shown.real, shown.fake]), shown.labels.repeat(2)
        mean = zero_centred_penalty(lambda images: critic(images, labels), both)
        logs["zero_centred_penalty"] = mean
        total = total + config.zero_centred_penalty * mean  # γ / 2 times the sum of R1 and R2
    return total, logs


def between(
    critic: Critic,
    shown: Shown,
    others: list[Tensor],
    weight: float | Tensor,
    rng: torch.Generator,
) -> Tensor:
    """The gradient penalty between real images and the mixture that the others are the parts of.

    The mixture is what the critic compares with the data, so its slope matters on the way from one
    to the other. Where its two parts are weighted, each image's partner is drawn: a generated image
    with probability λ, else a negative. That costs no more than the penalty of an ordinary GAN.
    """
    other = others[0]
    if len(others) == 2:
        other = sample_mixture(*others, fake_weight=weight, generator=rng)
    return gradient_penalty(
        lambda images: critic(images, shown.labels), shown.real, other, generator=rng
    )
