"""Losses of a structure head: a second output that learns negatives apart from the GAN's game.

The adversarial output keeps real against generated samples, without negatives, so at its optimum
the generator's game is the plain GAN's. The head learns what eq. 3 of Sinha et al. (2021) mixes
into that game: what real samples have and their negatives lack. Its real samples are half the
data and half the nulls, which were treated as the negatives were (cut, blurred) with their order
kept. So the treatment says nothing, and structure alone tells the two sides apart.

Its optimum is log of (p + p_null) / (2 q), with p the data, p_null the nulls and q the negatives.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def structure_d(real: Tensor, negative: Tensor, null: Tensor | None = None) -> Tensor:
    """Logistic loss of the head, a scalar: what it adds to the discriminator's loss.

    mean softplus(negative) + 1/2 mean softplus(-real) + 1/2 mean softplus(-null)

    Logits of any shape, high for a structure that is whole. Without `null` (where negatives are
    no treated images of the data) the real samples have its weight.

    Examples:
        >>> real, broken, null = torch.zeros(4), torch.zeros(4), torch.zeros(4)
        >>> nda.structure_d(real, broken, null)  # at chance: 2 log 2
        tensor(1.3863)
    """
    whole = F.softplus(-real).mean()
    if null is not None:
        whole = 0.5 * whole + 0.5 * F.softplus(-null).mean()
    return whole + F.softplus(negative).mean()


def structure_g(fake: Tensor) -> Tensor:
    """What generated samples owe to structure, a scalar: mean softplus(-fake), of any shape.

    It adds to the generator's loss. Where no negative is ever data it is 0 on all data at the
    head's optimum and moves the game's optimum nowhere.

    Examples:
        >>> nda.structure_g(torch.zeros(4))
        tensor(0.6931)
    """
    return F.softplus(-fake).mean()
