"""Three classes in place of a mixture: real, generated, negative.

The discriminator is a classifier with logits (r, f, n) and the generator is judged by r - f alone.
At the discriminator's best, softmax(r, f, n) is (p, g, μ q) over their sum, with p the data, g the
generator's distribution and q the negatives. So r - f = log p / g: whatever q and μ are, also where
negatives could be data, the generator's game is exactly the plain logistic GAN's. For any logits,

    cross entropy = (logistic loss of r - f on real and generated) + (that of n against both),

since the classifier first tells negatives from the rest and then parts the rest. The second term
asks the features, which all three logits read, for what negatives lack.

Regenwetter et al. (2024) train such a classifier too, but their generator wants the class "real"
among all three, so that negatives enter its game.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ShapeError

REAL, FAKE, NEGATIVE = range(3)


def three_class_d(
    real: Tensor, fake: Tensor, negative: Tensor, *, negative_weight: float = 1.0
) -> Tensor:
    """Cross entropy of the discriminator, a scalar.

    mean CE(real, r) + mean CE(fake, f) + μ mean CE(negative, n)

    Logits of the three classes stand along dimension 1: `(B, 3)`, or patches `(B, 3, h, w)`.

    Examples:
        >>> logits = torch.zeros(4, 3)  # of real, generated and negative, at chance: 3 log 3
        >>> nda.three_class_d(logits, logits, logits)
        tensor(3.2958)
    """
    parts = ((real, REAL, 1.0), (fake, FAKE, 1.0), (negative, NEGATIVE, negative_weight))
    return torch.stack([w * _cross_entropy(logits, index) for logits, index, w in parts]).sum()


def three_class_g(fake: Tensor) -> Tensor:
    """Loss of the generator, a scalar: mean softplus(-(r - f)), the plain GAN's non-saturating one.

    Logits as in `three_class_d`; that of the negatives is not looked at.

    Examples:
        >>> logits = torch.tensor([[1.0, 1.0, 99.0]])  # the negatives' logit is not looked at
        >>> nda.three_class_g(logits)
        tensor(0.6931)
    """
    _check(fake)
    return F.softplus(fake[:, FAKE] - fake[:, REAL]).mean()


def no_negative(logits: Tensor) -> Tensor:
    """Log odds that a sample is no negative, real or generated: `(B, 3, ...)` to `(B, ...)`."""
    _check(logits)
    return logits[:, :NEGATIVE].logsumexp(dim=1) - logits[:, NEGATIVE]


def _cross_entropy(logits: Tensor, index: int) -> Tensor:
    _check(logits)
    return -logits.log_softmax(dim=1)[:, index].mean()


def _check(logits: Tensor) -> None:
    if logits.dim() < 2 or logits.shape[1] != 3:
        raise ShapeError(
            f"Logits are {tuple(logits.shape)}; give those of three classes (real, generated, "
            "negative) along dimension 1, such as (B, 3)."
        )
