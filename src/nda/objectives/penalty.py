"""Penalties on a critic's slope: that of WGAN-GP, and R1 and R2."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from nda.errors import ShapeError


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean of (|∇ critic(x̂)| - 1)² at x̂ drawn uniformly between `real[i]` and `fake[i]`.

    WGAN-GP's (Gulrajani et al., 2017, eq. 3).

    `real` and `fake` are `(B, ...)` of one shape; `critic` maps such a batch to logits of any
    shape, one set a sample. The result is a scalar, not yet multiplied by its weight (10 in the
    paper), and can be differentiated by the critic's parameters.

    It is taken in float32 at least, outside of autocast, since it is a difference of nearly equal
    numbers, squared. Of a network that is compiled or wrapped by Lightning Fabric give the plain
    `forward`: compiled code cannot be differentiated twice, and Fabric refuses a backward pass that
    is not its own, which would also scale float16's gradients.

    Examples:
        >>> real, fake = torch.randn(8, 3, 4, 4), torch.randn(8, 3, 4, 4)
        >>> critic = lambda x: x.flatten(1).sum(1)  # its gradient is 1 everywhere, of length √48
        >>> abs(nda.gradient_penalty(critic, real, fake).item() - (48**0.5 - 1) ** 2) < 1e-4
        True
    """
    if real.shape != fake.shape:
        raise ShapeError(
            f"The gradient penalty interpolates real and generated samples of one shape; "
            f"got {tuple(real.shape)} and {tuple(fake.shape)}."
        )
    device = real.device if generator is None else generator.device
    precise = torch.promote_types(real.dtype, torch.float32)
    real, fake = real.detach().to(precise), fake.detach().to(precise)
    position = torch.rand(len(real), generator=generator, device=device).to(real)
    position = position.view(-1, *[1] * (real.dim() - 1))
    slope = _slopes(critic, torch.lerp(real, fake, position)).norm(dim=1)
    return (slope - 1).square().mean()


def zero_centred_penalty(critic: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    """Mean of |∇ critic(x)|² over `samples` `(B, ...)`: R1 on real ones, R2 on generated ones.

    Mescheder et al. (2018); their weight is γ / 2. A scalar, taken as that of `gradient_penalty`
    is: in float32 at least, and of the plain `forward`.

    Examples:
        >>> samples = torch.randn(8, 3)
        >>> critic = lambda x: (2 * x).sum(1)  # its gradient is (2, 2, 2)
        >>> nda.zero_centred_penalty(critic, samples)
        tensor(12.)
    """
    precise = torch.promote_types(samples.dtype, torch.float32)
    return _slopes(critic, samples.detach().to(precise)).square().sum(dim=1).mean()


def _slopes(critic: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Gradients of the critic at `points` `(B, ...)`, `(B, values)`, that can be differentiated."""
    points = points.requires_grad_()
    with (
        torch.enable_grad(),
        torch.autocast(points.device.type, enabled=False),
        sdpa_kernel(SDPBackend.MATH),  # fused attention cannot be differentiated twice
    ):
        (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return gradient.flatten(1)
