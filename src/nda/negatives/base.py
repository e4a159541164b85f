"""The contract of every negative, and the draws that several of them share.

A negative turns real samples into samples the data would never contain (Sinha et al., ICLR 2021,
appendix B). Drawing is kept apart from replaying, so that what was drawn can be shown, repeated,
or laid alike over the frames of a clip or over a mask.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from nda.errors import ShapeError
from nda.negatives.pixels.layout import samples

Params = dict[str, Tensor]
"""What was drawn for a batch: tensors whose first dimension counts the samples."""


class Negative(nn.Module, ABC):
    """A transform that never leaves a sample as it is.

    `x` is a batch of images `(B, C, H, W)` or of clips `(B, T, C, H, W)`, floating or uint8. Each
    sample has parameters of its own; a clip's frames share them. The result is a new tensor of
    the same shape, dtype, device and, where `x` is channels-last, memory layout. Draws are made on
    the generator's device and moved to that of `x`.

    Raises:
        ShapeError: where `x` is not such a batch, or its size does not suit the negative.

    Examples:
        >>> images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
        >>> negative: nda.Negative = nda.Stitch(seam="feather")
        >>> params = negative.draw(images, generator=torch.Generator().manual_seed(0))
        >>> broken = negative.replay(images, params)  # the same whenever it is replayed
        >>> whole = negative.null(images, params)  # the same seams, the structure kept
        >>> broken.dtype, whole.shape
        (torch.uint8, torch.Size([4, 3, 32, 32]))
    """

    alone = False
    """Whether each sample is made of itself, and no other of its batch is looked at."""

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return self.replay(x, self.draw(x, generator))

    @abstractmethod
    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        """One set of parameters for each sample of `x`; the pixels of `x` are not looked at."""

    @abstractmethod
    def replay(self, x: Tensor, params: Params) -> Tensor:
        """Apply drawn parameters: the same `x` and `params` always give the same result."""

    def replay_of(self, x: Tensor, chosen: Tensor, params: Params) -> Tensor:
        """What `replay` makes of samples `chosen` `(N,)` of `x`, if it can without the others.

        `params` are those of the whole batch.
        """
        if not self.alone:
            return samples(self.replay(x, params), chosen)
        return self.replay(samples(x, chosen), params_of_samples(chosen, params))

    def null(self, x: Tensor, params: Params) -> Tensor:
        """All that `replay` does to `x` except what breaks its structure, as a new tensor.

        The same cuts are softened in the same way, but the order is kept and a patch is the
        image's own. What tells `null` from `replay` is structure alone, which makes it the control
        of the negative. It differs from `x` only where `mask` says; a hard cut leaves no trace, nor
        does a negative that cuts nothing, so for these it is `x`.
        """
        self.check(x)
        del params
        return x.clone()

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """Where `replay` makes `x` a negative: `(B, 1, H, W)` float32 in [0, 1], 1 where it shows.

        All frames of a clip share it. A negative that has no place of its own, such as noise, is
        one everywhere.
        """
        del params
        return torch.ones(x.shape[0], 1, *x.shape[-2:], device=x.device)

    def check(self, x: Tensor) -> None:
        """Refuse what this negative cannot work on; subclasses add what they need."""
        if x.dim() not in (4, 5):
            raise ShapeError(
                f"a negative was given a tensor of shape {tuple(x.shape)}; "
                "expected images (B, C, H, W) or clips (B, T, C, H, W)"
                " (give a single image a batch dimension with x[None])"
            )
        if not (x.is_floating_point() or x.dtype == torch.uint8):
            raise ShapeError(
                f"a negative was given a tensor of type {x.dtype} and shape {tuple(x.shape)}; "
                "expected a floating type or torch.uint8 (convert with x.float())"
            )
        if x.shape[0] == 0:
            raise ShapeError(
                f"a negative was given a batch without images, of shape {tuple(x.shape)}; "
                "expected at least one (leave an empty batch out)"
            )
        if 0 in x.shape[1:]:
            raise ShapeError(
                f"a negative was given images without pixels, of shape {tuple(x.shape)}; "
                "expected every dimension after the first to be at least 1"
            )


def params_of_samples(chosen: Tensor, params: Params) -> Params:
    """What was drawn for samples `chosen` `(N,)` alone."""
    return {name: value.index_select(0, chosen) for name, value in params.items()}


def check_partners(x: Tensor, name: str) -> None:
    """Refuse a batch in which a sample cannot find another one to be mixed with."""
    if x.shape[0] < 2:
        raise ShapeError(
            f"{name} mixes each sample with another one of its batch, but the batch of shape "
            f"{tuple(x.shape)} holds {x.shape[0]}; give at least 2 samples (drop a last, "
            "incomplete batch) or choose a negative that needs no partner, such as jigsaw"
        )


def draw_device(x: Tensor, generator: torch.Generator | None) -> torch.device:
    return x.device if generator is None else generator.device


def to_device_like(drawn: Tensor, x: Tensor) -> Tensor:
    """Move drawn parameters beside `x`, without waiting where `x` lies on a GPU.

    Only the way to the GPU may go unwaited for: the host would read a copy the other way too soon.
    """
    return drawn.to(x.device, non_blocking=x.is_cuda)


def draw_partners(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Index `(B,)` of each sample's partner: a uniformly random cycle through the whole batch.

    A cycle has no fixed point for B > 1, so nobody is its own partner and everyone serves once.
    """
    order = torch.randperm(x.shape[0], generator=generator, device=draw_device(x, generator))
    partner = torch.empty_like(order).scatter_(0, order, order.roll(-1))
    return to_device_like(partner, x)


def per_sample(values: Tensor, x: Tensor) -> Tensor:
    """View one value a sample, `(B,)`, so that it broadcasts over `x`."""
    return values.view(-1, *[1] * (x.dim() - 1))
