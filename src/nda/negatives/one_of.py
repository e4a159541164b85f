"""OneOf: a random one of several negatives for each sample (the mixture of the paper)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor, nn

from nda.errors import ConfigError
from nda.negatives.base import Negative, Params, draw_device, per_sample, to_device_like
from nda.negatives.pixels.chosen import may_look
from nda.negatives.pixels.layout import joined, samples


class OneOf(Negative):
    """Apply to each sample one of `members`, chosen with probability proportional to `weights`.

    On the CPU a member makes the samples that chose it, unless it needs all (as a blended seam
    does, or a fault with the texture of another image). Elsewhere every member is computed for the
    whole batch and one result kept for each sample, so that the device is never waited for.

    `draw` yields `choice` `(B,)` int64 and the members' own parameters, as `0.permutation`.

    Raises:
        ConfigError: where there are no members, or not one positive weight for each.
        ShapeError: where any member refuses the batch.

    Examples:
        >>> either = nda.OneOf([nda.Jigsaw(), nda.Cutout()], weights=[3, 1])
        >>> images = torch.rand(6, 3, 32, 32)
        >>> params = either.draw(images)
        >>> params["choice"].shape
        torch.Size([6])
    """

    def __init__(self, members: Sequence[Negative], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if not members:
            raise ConfigError("OneOf was given no negatives; expected at least one to choose from")
        weights = [1.0] * len(members) if weights is None else [float(w) for w in weights]
        if len(weights) != len(members) or not all(w > 0 and math.isfinite(w) for w in weights):
            raise ConfigError(
                f"OneOf was given weights {weights} for {len(members)} negatives; "
                "expected one positive number for each"
            )
        self.members = nn.ModuleList(members)
        self.weights = tuple(weights)

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        place = torch.rand(x.shape[0], generator=generator, device=draw_device(x, generator))
        # Counting the bounds passed, rather than a search, needs no tensor of bounds on the device.
        choice = torch.zeros_like(place, dtype=torch.int64)
        for bound in list(accumulate(self.weights))[:-1]:
            choice += place >= bound / sum(self.weights)
        params = {"choice": to_device_like(choice, x)}
        for i, member in enumerate(self.negatives()):
            drawn = member.draw(x, generator)
            params |= {f"{i}.{name}": value for name, value in drawn.items()}
        return params

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        members = enumerate(self.negatives())
        if not may_look(x):
            return chosen(x, params, [m.replay(x, params_of(i, params)) for i, m in members])
        of_member = [(params["choice"] == i).nonzero()[:, 0] for i, _ in enumerate(self.members)]
        made = [
            member.replay_of(x, of_member[i], params_of(i, params))
            for i, member in members
            if len(of_member[i])
        ]
        # Quicker than writing each part into its places.
        return samples(joined(made), torch.cat(of_member).argsort())

    def null(self, x: Tensor, params: Params) -> Tensor:
        """The null of the member that was chosen."""
        self.check(x)
        members = enumerate(self.negatives())
        return chosen(x, params, [m.null(x, params_of(i, params)) for i, m in members])

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """The mask of the member that was chosen."""
        masks = [m.mask(x, params_of(i, params)) for i, m in enumerate(self.negatives())]
        every = torch.stack(masks, dim=1)  # (B, members, 1, H, W)
        return every[torch.arange(x.shape[0], device=x.device), params["choice"]]

    def check(self, x: Tensor) -> None:
        super().check(x)
        for member in self.negatives():
            member.check(x)

    def negatives(self) -> list[Negative]:
        """The members, typed."""
        return [cast(Negative, member) for member in self.members]

    def extra_repr(self) -> str:
        return f"weights={self.weights}"


def chosen(x: Tensor, params: Params, made: list[Tensor]) -> Tensor:
    """For each sample of `x`, what the member made of it that was chosen."""
    choice = per_sample(params["choice"], x)
    result = made[0]
    for i, other in enumerate(made[1:], start=1):
        result = torch.where(choice == i, other, result)
    return result


def params_of(member: int, params: Params) -> Params:
    """The parameters of one member, under its own names."""
    prefix = f"{member}."
    return {
        name.removeprefix(prefix): value
        for name, value in params.items()
        if name.startswith(prefix)
    }
