"""Real samples beside their nulls, so that what treats both alike says nothing.

A negative is cut and its seams are blurred; its null (`Negative.null`) is the real sample treated
in the same way, its structure whole. Where only negatives show a seam, the seam gives them away.
It carries no information once real samples show it as often (`shown_as_nulls`), or once a network
is held to say the same of a sample and of its null (`consistency`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from nda.errors import ConfigError, ShapeError


def shown_as_nulls(
    x: Tensor, null: Tensor, *, probability: float, generator: torch.Generator | None = None
) -> Tensor:
    """`null[i]` with `probability`, else `x[i]`: both `(B, ...)`, and so is the result.

    The draw, one a sample, happens on the generator's device, or on that of `x` without one.

    Raises:
        ShapeError: where the two are not of one shape.
        ConfigError: unless the probability lies between 0 and 1.
    """
    _check(x, null)
    if not 0 <= probability <= 1:
        raise ConfigError(
            f"probability is {probability}; it is the share of samples shown as their nulls and "
            "must lie between 0 and 1."
        )
    device = x.device if generator is None else generator.device
    drawn = torch.rand(len(x), generator=generator, device=device).to(x.device)
    return torch.where((drawn < probability).view(-1, *[1] * (x.dim() - 1)), null, x)


def consistency(of_x: Tensor, of_null: Tensor) -> Tensor:
    """The mean of (D(x) - D(null(x)))² over logits of any one shape: a scalar, in float32.

    It vanishes where the treatment alone changes nothing of what is said.
    """
    _check(of_x, of_null)
    return (of_x.float() - of_null.float()).square().mean()


def consistency_of_vectors(of_x: Tensor, of_null: Tensor) -> Tensor:
    """The mean of |f(x) - f(null(x))|² over vectors `(B, D)`: a scalar, in float32.

    Of vectors of length 1 it is 2 - 2 times their mean cosine, 0 to 4.
    """
    _check(of_x, of_null)
    return (of_x.float() - of_null.float()).square().sum(dim=1).mean()


def _check(x: Tensor, null: Tensor) -> None:
    if x.shape != null.shape or 0 in x.shape:
        raise ShapeError(
            f"Samples are matched with their nulls, of one shape; got {tuple(x.shape)} and "
            f"{tuple(null.shape)}."
        )
