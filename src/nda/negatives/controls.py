"""The controls of the paper's Table 1: ordinary augmentations, as negatives and as positives.

Horizontal flips, crops and noise leave a picture plausible, so they make poor negatives, which
is what they are there to show. `RandomApply` turns any negative into an ordinary augmentation.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nda.errors import ConfigError, ShapeError
from nda.negatives.base import Negative, Params, draw_device, per_sample, to_device_like
from nda.negatives.pixels.layout import pixels_at


class HorizontalFlip(Negative):
    """Mirror every image left to right. Nothing is drawn.

    Raises:
        ShapeError: for images one pixel wide, which are their own mirror images.

    Examples:
        >>> nda.HorizontalFlip()(torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8))
        tensor([[[[3, 2, 1]]]], dtype=torch.uint8)
    """

    alone = True

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        return {}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        return x.flip(-1)

    def check(self, x: Tensor) -> None:
        super().check(x)
        if x.shape[-1] < 2:
            raise ShapeError(
                f"horizontal_flip was given images of shape {tuple(x.shape)}, one pixel wide, "
                "which it cannot change; expected a width of at least 2"
            )


class RandomCrop(Negative):
    """Pad each image by its own reflection and crop it back to its size somewhere else.

    `padding` is the share of height and of width added on each side, rounded to pixels but at
    least one: 0.125 is the usual 4 pixels at 32 × 32. All places but the middle one, which is
    the image itself, are equally likely. Reflection, unlike a constant, suits any value range.

    `draw` yields `offset` `(B, 2)` int64: how far down and to the right the crop is moved.

    Raises:
        ConfigError: unless 0 < padding <= 0.5.
        ShapeError: where height or width is one pixel.

    Examples:
        >>> images = torch.rand(4, 3, 32, 32)
        >>> crop = nda.RandomCrop(padding=0.125)
        >>> bool(crop.draw(images)["offset"].abs().max() <= 4)
        True
    """

    alone = True

    def __init__(self, padding: float = 0.125) -> None:
        super().__init__()
        if not 0 < padding <= 0.5:
            raise ConfigError(
                f"random_crop was given padding={padding:g}; "
                "expected a share of the image's sides with 0 < padding <= 0.5"
            )
        self.padding = padding

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        down, across = (max(1, round(self.padding * size)) for size in x.shape[-2:])
        columns = 2 * across + 1
        places = (2 * down + 1) * columns
        device = draw_device(x, generator)
        place = torch.randint(places - 1, (x.shape[0],), generator=generator, device=device)
        place = place + (place >= places // 2)  # step over the middle
        offset = torch.stack([place // columns - down, place % columns - across], dim=1)
        return {"offset": to_device_like(offset, x)}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        H, W = x.shape[-2:]
        row = reflect(torch.arange(H, device=x.device) + params["offset"][:, :1], H)
        column = reflect(torch.arange(W, device=x.device) + params["offset"][:, 1:], W)
        return pixels_at(x, row[:, :, None] * W + column[:, None, :])

    def check(self, x: Tensor) -> None:
        super().check(x)
        if min(x.shape[-2:]) < 2:
            raise ShapeError(
                f"random_crop was given images of shape {tuple(x.shape)}, which have nothing to "
                "reflect; expected height and width of at least 2"
            )

    def extra_repr(self) -> str:
        return f"padding={self.padding:g}"


def reflect(position: Tensor, size: int) -> Tensor:
    """Fold positions beyond 0 and `size - 1` back inside, the border pixel not repeated."""
    return (size - 1) - ((size - 1) - position.abs()).abs()


class GaussianNoise(Negative):
    """Add independent Gaussian noise to every value of an image; a clip's frames share it.

    `std` is in the units of images in [-1, 1]; for uint8 the unit is 127.5 and results are rounded
    and clamped. Floating results are not clamped: the module does not know the range of its input.

    `draw` yields `noise` `(B, C, H, W)` float32, of unit variance.

    Raises:
        ConfigError: where `std` is not positive and finite.

    Examples:
        >>> noisy = nda.GaussianNoise(std=0.1)(torch.zeros(8, 3, 32, 32))
        >>> round(noisy.std().item(), 1)
        0.1
    """

    alone = True

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        if not (std > 0 and math.isfinite(std)):
            raise ConfigError(f"gaussian_noise was given std={std:g}; expected a positive number")
        self.std = std

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        shape = (x.shape[0], *x.shape[-3:])
        noise = torch.randn(shape, generator=generator, device=draw_device(x, generator))
        return {"noise": to_device_like(noise, x)}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        exact = torch.promote_types(x.dtype, torch.float32)
        noise = params["noise"].to(exact)
        if x.dim() == 5:
            noise = noise[:, None]
        unit = 1.0 if x.is_floating_point() else 127.5
        noisy = x.to(exact).add(noise, alpha=self.std * unit)
        if not x.is_floating_point():
            noisy = noisy.round_().clamp_(0, 255)
        return noisy.to(x.dtype)

    def extra_repr(self) -> str:
        return f"std={self.std:g}"


class RandomApply(nn.Module):
    """Apply a negative to each sample with probability `p`: ordinary (positive) augmentation.

    Not a `Negative` itself, since it leaves samples as they are with probability 1 - p.

    Raises:
        ConfigError: unless 0 <= p <= 1.

    Examples:
        >>> images = torch.rand(1000, 1, 4, 4)
        >>> flipped = nda.RandomApply(nda.HorizontalFlip(), p=0.5)(images)
        >>> share = (flipped != images).flatten(1).any(1).float().mean().item()
        >>> 0.4 < share < 0.6
        True
    """

    def __init__(self, transform: Negative, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ConfigError(f"RandomApply was given p={p:g}; expected a probability, 0 <= p <= 1")
        self.transform = transform
        self.p = p

    def forward(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return self.replay(x, self.draw(x, generator))

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        """The transform's parameters and `applied` `(B,)` bool."""
        params = self.transform.draw(x, generator)
        chance = torch.rand(x.shape[0], generator=generator, device=draw_device(x, generator))
        return {**params, "applied": to_device_like(chance < self.p, x)}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        applied = per_sample(params["applied"], x)
        return torch.where(applied, self.transform.replay(x, params), x)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"
