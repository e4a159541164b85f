"""Paired relativistic losses: a sample is judged by how far it stands above a partner.

The relativistic pairing GAN (Jolicoeur-Martineau, 2019; R3GAN, Huang et al., 2024, with
`zero_centred_penalty` on real and on generated samples) asks that D(x) exceeds D(G z). A negative
of x is asked to stand below the very x that it was made of. So what the two share, the content,
cancels, and structure alone parts them. A constant added to D cancels too: negatives cannot shift
what generated samples are measured against, as those in a mixture do by log 1/λ.

Against generated samples alone the best D is log p / g + any constant. Negatives that never are
data leave that as it is and are sent to -∞.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from nda.errors import ShapeError


def relativistic_d(
    real: Tensor, fake: Tensor, negative: Tensor | None = None, *, negative_weight: float = 1.0
) -> Tensor:
    """Loss of the discriminator, a scalar.

    mean softplus(-(real - fake)) + μ mean softplus(-(real - negative))

    Logits of one shape, `(B,)` or any other; `negative[i]` is that of the negative made of the
    sample of `real[i]`. Without `negative` it is the ordinary relativistic pairing GAN.

    Examples:
        >>> real, fake = torch.tensor([1.0, 5.0]), torch.tensor([1.0, 5.0])
        >>> nda.relativistic_d(real, fake)  # each pair level, whatever its height: log 2
        tensor(0.6931)
    """
    loss = _above(real, fake)
    return loss if negative is None else loss + negative_weight * _above(real, negative)


def relativistic_g(fake: Tensor, real: Tensor) -> Tensor:
    """Loss of the generator, a scalar: mean softplus(-(fake - real)); it sees no negative.

    Examples:
        >>> fake, real = torch.tensor([3.0]), torch.tensor([3.0])
        >>> nda.relativistic_g(fake, real)
        tensor(0.6931)
    """
    return _above(fake, real)


def _above(upper: Tensor, lower: Tensor) -> Tensor:
    if upper.shape != lower.shape:
        raise ShapeError(
            f"A relativistic loss compares logits pair by pair, so they must be of one shape; "
            f"got {tuple(upper.shape)} and {tuple(lower.shape)}."
        )
    return F.softplus(lower - upper).mean()
