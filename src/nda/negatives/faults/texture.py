"""Texture: foreign texture in patches of Perlin noise (Zavrtanik et al., DRAEM, ICCV 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.negatives.base import Params, check_partners, draw_partners, to_device_like
from nda.negatives.blemish import shifted
from nda.negatives.faults.fault import (
    Fault,
    draw_shifts,
    draws,
    ends,
    exactly,
    grey,
    like,
)
from nda.negatives.faults.perlin import draw_perlin, perlin
from nda.negatives.feather import over_planes

_CELLS = (2.0, 12.0)
_DEPTH = (0.05, 0.35)  # how far below its highest the noise still counts, of its range
_COVER = (0.3, 1.0)
_CONTRAST = (0.5, 1.5)


class Texture(Fault):
    """Cover patches of each image with texture of another image, in another contrast.

    The patches are where Perlin noise is highest. They cover the image by 30 to 100 %; the contrast
    of the texture is multiplied by 0.5 to 1.5, and for every other sample it is inverted. The
    texture is that of another image of the batch, from an eighth of the sides away or more; or,
    where `textures` are given, uint8 `(N, C, h, w)` of any size, that of a random one of these,
    repeated where it is too small.

    `draw` yields, for each sample, `source` int64 (which image), `shift` (B, 2) int64 in pixels,
    `depth`, `cover` and `contrast` float32, and `direction` and `cells` of `draw_perlin`.

    Raises:
        ConfigError: unless 0.1 <= strength <= 1.
        ShapeError: for textures that are not uint8 `(N, C, h, w)`; without any, for a batch of
            fewer than two; for images with a side of less than 4 pixels.

    Examples:
        >>> textures = torch.randint(256, (3, 3, 20, 20), dtype=torch.uint8)
        >>> nda.Texture(textures=textures)(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    name = "texture"
    alone = False  # without textures of its own
    textures: Tensor | None

    def __init__(self, strength: float = 1.0, *, textures: Tensor | None = None) -> None:
        super().__init__(strength)
        self.register_buffer("textures", None, persistent=False)
        if textures is not None:
            self.take(textures)

    def take(self, textures: Tensor) -> None:
        """Use these from now on, uint8 `(N, C, h, w)`."""
        if textures.dim() != 4 or textures.dtype != torch.uint8 or 0 in textures.shape:
            raise ShapeError(
                f"texture was given textures of shape {tuple(textures.shape)} and type "
                f"{textures.dtype}; expected uint8 images (N, C, H, W), at least one"
            )
        self.textures = textures

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        uniform = draws(x, generator)
        contrast = uniform(*_CONTRAST)
        params = {
            "shift": draw_shifts(uniform, x),
            "depth": uniform(*_DEPTH),
            "cover": uniform(*_COVER),
            "contrast": torch.where(uniform(0, 1) < 0.5, contrast, -contrast),
            **draw_perlin(uniform, *_CELLS),
        }
        params = {name: to_device_like(value, x) for name, value in params.items()}
        if self.textures is None:
            return {"source": draw_partners(x, generator), **params}
        source = (uniform(0, 1) * len(self.textures)).long()
        return {"source": to_device_like(source, x), **params}

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        image = exactly(x)
        if self.textures is None:
            texture = shifted(image, params["source"], params["shift"])
        else:
            texture = repeated(self.textures, params["source"], params["shift"], image, x)
        contrast = params["contrast"].view(-1, *[1] * (x.dim() - 1)).to(image.dtype)
        mean = texture.contiguous().mean((-2, -1), keepdim=True)  # in one order in every layout
        texture = (mean + contrast * (texture - mean)).clamp(*ends(x))
        cover = self.strength * params["cover"].view(-1, 1, 1, 1) * self.mask(x, params)
        return like(image.lerp(texture, over_planes(cover, x).to(image.dtype)), x)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 where the noise is highest."""
        noise = perlin(params["direction"], params["cells"], *x.shape[-2:])
        lowest, highest = noise.amin((-2, -1)), noise.amax((-2, -1))
        least = highest - params["depth"] * (highest - lowest)
        return (noise >= least[:, None, None]).float()[:, None]

    def check(self, x: Tensor) -> None:
        super().check(x)
        if self.textures is None:
            check_partners(x, self.name)

    def extra_repr(self) -> str:
        given = "" if self.textures is None else f", textures={tuple(self.textures.shape)}"
        return f"{super().extra_repr()}{given}"


def repeated(textures: Tensor, source: Tensor, shift: Tensor, image: Tensor, x: Tensor) -> Tensor:
    """Texture `source[b]`, begun at `shift[b]`, repeated over the shape and range of `image`.

    Where channels differ in number, and over grey images, the mean of the texture's serves for all.
    """
    H, W = image.shape[-2:]
    high, wide = textures.shape[-2:]
    row = (torch.arange(H, device=x.device) + shift[:, :1]) % high
    column = (torch.arange(W, device=x.device) + shift[:, 1:]) % wide
    pixel = (row[:, :, None] * wide + column[:, None, :]).view(len(x), 1, H * W)
    planes = textures.to(x.device).index_select(0, source).flatten(2)  # (B, C, h * w)
    found = planes.gather(2, pixel.expand(-1, planes.shape[1], -1)).to(image.dtype)
    mean = found.mean(1, keepdim=True)
    if planes.shape[1] == x.shape[-3]:
        found = torch.where(grey(x).view(-1, 1, 1), mean, found)
    else:
        found = mean
    if x.is_floating_point():
        found = found / 127.5 - 1
    return found.view(len(x), *[1] * (x.dim() - 4), -1, H, W).expand_as(image)
