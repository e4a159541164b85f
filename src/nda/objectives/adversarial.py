"""Adversarial losses with negatives: the discriminator's side of eq. 3 of Sinha et al. (2021).

The discriminator learns real samples against a mixture of generated samples and negatives,

    λ * generated + (1 - λ) * negative,

and the generator never sees a negative. Each family has a discriminator's loss `*_d` and a
generator's loss `*_g`; λ is `fake_weight`, a number or, where it changes while training, a tensor
of one. Logits may have any shape: a score a sample `(B,)` or patches `(B, 1, h, w)`; all of them
are averaged. Every loss is a scalar to be minimised.

The expectation over the mixture can be taken in two ways:

- weighted: hand over `negative`; both parts go through the discriminator and are weighted by λ and
  1 - λ (what the paper's code does);
- sampled: hand over `sample_mixture(fake, negative, ...)` as `fake` and no `negative`; the same
  expectation from one batch of ordinary size, without more work for the discriminator.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.errors import ConfigError, ShapeError

PointLoss = Callable[[Tensor], Tensor]


def hinge_d(
    real: Tensor,
    fake: Tensor,
    negative: Tensor | None = None,
    *,
    fake_weight: float | Tensor = 0.25,
) -> Tensor:
    """Hinge loss of the discriminator (Lim and Ye, 2017; with negatives: paper, section 3, eq. 3).

    mean relu(1 - real) + λ mean relu(1 + fake) + (1 - λ) mean relu(1 + negative)

    Examples:
        >>> real, fake, negative = torch.tensor([2.0]), torch.tensor([-2.0]), torch.tensor([0.0])
        >>> nda.hinge_d(real, fake, negative, fake_weight=0.25)  # 3/4 · 1
        tensor(0.7500)
    """
    return _against_mixture(
        real,
        fake,
        negative,
        fake_weight,
        loss_of_real=lambda x: F.relu(1 - x),
        loss_of_other=lambda x: F.relu(1 + x),
    )


def hinge_g(fake: Tensor) -> Tensor:
    """Hinge loss of the generator: -mean fake.

    Examples:
        >>> nda.hinge_g(torch.tensor([1.0, 3.0]))
        tensor(-2.)
    """
    return -fake.mean()


def logistic_d(
    real: Tensor,
    fake: Tensor,
    negative: Tensor | None = None,
    *,
    fake_weight: float | Tensor = 0.25,
) -> Tensor:
    """Logistic loss of the discriminator (Goodfellow et al., 2014; paper, section 3, eq. 1 and 3).

    mean softplus(-real) + λ mean softplus(fake) + (1 - λ) mean softplus(negative)

    Examples:
        >>> nda.logistic_d(torch.zeros(4), torch.zeros(4), torch.zeros(4))  # at chance: 2 log 2
        tensor(1.3863)
    """
    return _against_mixture(
        real,
        fake,
        negative,
        fake_weight,
        loss_of_real=lambda x: F.softplus(-x),
        loss_of_other=F.softplus,
    )


def logistic_g(fake: Tensor) -> Tensor:
    """Non-saturating loss of the generator: mean softplus(-fake).

    Examples:
        >>> nda.logistic_g(torch.zeros(4))  # at chance: log 2
        tensor(0.6931)
    """
    return F.softplus(-fake).mean()


def prior_corrected_g(fake: Tensor, *, fake_weight: float | Tensor = 0.25) -> Tensor:
    """Non-saturating loss of a generator whose discriminator saw the mixture by `logistic_d`.

    mean softplus(-(fake + log λ))

    Where no negative lies, the best logit against the mixture is log p / (λ g): log 1/λ above the
    plain GAN's. Generated samples look better than they are, and the gradient fades: at g = p to
    λ / (1 + λ) in place of 1/2. Adding log λ gives the plain GAN's loss and gradient back. λ must
    be above 0.

    Examples:
        >>> logits = torch.tensor([0.5, -1.0])
        >>> corrected = nda.prior_corrected_g(logits, fake_weight=0.25)
        >>> torch.isclose(corrected, nda.logistic_g(logits + math.log(0.25)))
        tensor(True)
    """
    _check_weight(fake_weight)
    if isinstance(fake_weight, Tensor):
        return logistic_g(fake + fake_weight.log())
    if not fake_weight:
        raise ConfigError(
            "fake_weight (λ) is 0, so the discriminator sees no generated sample and there is no "
            "prior to correct; give it a value above 0."
        )
    return logistic_g(fake + math.log(fake_weight))


def least_squares_d(
    real: Tensor,
    fake: Tensor,
    negative: Tensor | None = None,
    *,
    fake_weight: float | Tensor = 0.25,
) -> Tensor:
    """Least-squares loss of the discriminator (Mao et al., 2017), targets 1 and 0.

    1/2 [mean (real - 1)² + λ mean fake² + (1 - λ) mean negative²]

    Examples:
        >>> real, fake, negative = torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([1.0])
        >>> nda.least_squares_d(real, fake, negative)  # 3/4 · 1/2 of the negative
        tensor(0.3750)
    """
    return 0.5 * _against_mixture(
        real,
        fake,
        negative,
        fake_weight,
        loss_of_real=lambda x: (x - 1).square(),
        loss_of_other=torch.square,
    )


def least_squares_g(fake: Tensor) -> Tensor:
    """Least-squares loss of the generator: 1/2 mean (fake - 1)².

    Examples:
        >>> nda.least_squares_g(torch.tensor([1.0]))  # taken for real
        tensor(0.)
    """
    return 0.5 * (fake - 1).square().mean()


def wasserstein_d(
    real: Tensor,
    fake: Tensor,
    negative: Tensor | None = None,
    *,
    fake_weight: float | Tensor = 0.25,
) -> Tensor:
    """Wasserstein loss of the critic (Arjovsky et al., 2017; the paper's Appendix A).

    -mean real + λ mean fake + (1 - λ) mean negative

    Examples:
        >>> real, fake, negative = torch.tensor([1.0]), torch.tensor([-1.0]), torch.tensor([-1.0])
        >>> nda.wasserstein_d(real, fake, negative)
        tensor(-2.)
    """
    return _against_mixture(
        real, fake, negative, fake_weight, loss_of_real=torch.neg, loss_of_other=lambda x: x
    )


def wasserstein_g(fake: Tensor) -> Tensor:
    """Wasserstein loss of the generator: -mean fake.

    Examples:
        >>> nda.wasserstein_g(torch.tensor([1.0, 3.0]))
        tensor(-2.)
    """
    return -fake.mean()


def sample_mixture(
    fake: Tensor,
    negative: Tensor,
    *,
    fake_weight: float | Tensor = 0.25,
    generator: torch.Generator | None = None,
) -> Tensor:
    """One draw of eq. 3's mixture a sample: `fake[i]` with probability λ, else `negative[i]`.

    `fake` and `negative` have the same shape `(B, ...)`; so has the result. The draw happens on
    the generator's device, or on that of `fake` without one.

    Examples:
        >>> mixed = nda.sample_mixture(torch.zeros(1000), torch.ones(1000), fake_weight=0.25)
        >>> 0.7 < mixed.mean().item() < 0.8  # three of four are negatives
        True
    """
    _check_weight(fake_weight)
    if fake.shape != negative.shape:
        raise ShapeError(
            f"The mixture needs as many negatives as generated samples, of one shape; "
            f"got {tuple(negative.shape)} and {tuple(fake.shape)}."
        )
    device = fake.device if generator is None else generator.device
    uniform = torch.rand(len(fake), generator=generator, device=device).to(fake.device)
    is_fake = (uniform < fake_weight).view(-1, *[1] * (fake.dim() - 1))
    return torch.where(is_fake, fake, negative)


def _against_mixture(
    real: Tensor,
    fake: Tensor,
    negative: Tensor | None,
    fake_weight: float | Tensor,
    *,
    loss_of_real: PointLoss,
    loss_of_other: PointLoss,
) -> Tensor:
    """Eq. 3 for any pair of losses of a logit; without negatives λ is 1, the ordinary GAN."""
    _check_weight(fake_weight)
    loss = loss_of_real(real).mean()
    if negative is None:
        return loss + loss_of_other(fake).mean()
    return (
        loss
        + fake_weight * loss_of_other(fake).mean()
        + (1 - fake_weight) * loss_of_other(negative).mean()
    )


def _check_weight(fake_weight: float | Tensor) -> None:
    """Refuse a λ out of range; a tensor is left unread, as reading it would wait for a device."""
    if not isinstance(fake_weight, Tensor) and not 0 <= fake_weight <= 1:
        raise ConfigError(
            f"fake_weight (λ) is {fake_weight}; it is the share of generated samples in the "
            "mixture and must lie between 0 and 1."
        )


# Each family's losses of the discriminator and of the generator, by its name in settings.
LOSSES = {
    "hinge": (hinge_d, hinge_g),
    "logistic": (logistic_d, logistic_g),
    "least_squares": (least_squares_d, least_squares_g),
    "wasserstein": (wasserstein_d, wasserstein_g),
}
