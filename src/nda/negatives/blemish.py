"""Blemish: a box or a stain of texture from elsewhere, for learning what normal is not.

Not in the paper. Its local negatives cover a third to a half of the side, which suits whole images;
faults of a surface are smaller, of every shape, and often faint. The idea of training on pasted
faults is that of CutPaste (Li et al., 2021), DRAEM (Zavrtanik et al., 2021) and NSA (Schlüter et
al., 2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nda.errors import ConfigError
from nda.negatives.base import (
    Negative,
    Params,
    check_partners,
    draw_device,
    draw_partners,
    per_sample,
    to_device_like,
)
from nda.negatives.faults.fault import ends, exactly, like
from nda.negatives.faults.membrane import boxed
from nda.negatives.feather import feather, over_planes
from nda.negatives.pixels.chosen import Pixels, may_look, put, ranked, taken
from nda.negatives.pixels.layout import pixels_at, samples
from nda.negatives.seams import Cut, breaks, near

_WAVES = 12  # that make up the outline of a stain
_FREQUENCY = (1.5, 12.0)  # their highest, in cycles an image
_STRETCH = (0.4, 2.5)  # how much longer than wide a stain is
_AREA = (0.01, 0.1)  # of a stain, as a share of the image's
_NEAREST = 1 / 8  # of the side: texture is taken from at least so far away
_FAINTEST = 0.3
_LIGHT = (-0.5, 0.2)  # how far the texture is moved towards black (below 0) or white
_FEWEST = 2  # pixels of a box's side, and twice that of a stain: a single one may look the same


class Blemish(Negative):
    """Cover a box or an irregular stain of each image with texture from elsewhere, faded and relit.

    A box (an even chance) has sides between `low` and `high` times the image's, log-uniform; a
    stain is where a random smooth field is highest, 1 to 10 % of the image in one or more parts.
    The texture comes from another place of the same image or of another one (an even chance), is
    mixed with up to 50 % of black or 20 % of white, and covers the image by 30 to 100 %. Floating
    images are taken to lie in [-1, 1], and so do the results.

    `seam="feather"` blurs the outline of the box or stain over `width` pixels, as in `Jigsaw`.
    There is no blending in the gradient domain, which would undo how light a blemish is.

    `draw` yields, for each sample, `partner` int64 (itself or another), `shift` (B, 2) int64 in
    pixels, `stain` bool, `box` (B, 4) int64 (top, left, height, width), `waves` (B, 12, 3) float32
    (cycles down, cycles across, phase), `area`, `light` and `cover` float32.

    Raises:
        ConfigError: unless 0 < low <= high < 1, `width` is at least 1 and `seam` is known.
        ShapeError: for a batch of fewer than two.

    Examples:
        >>> images = torch.rand(8, 3, 64, 64) * 2 - 1
        >>> blemish = nda.Blemish(low=0.1, high=0.2, seam="feather")
        >>> params = blemish.draw(images)
        >>> broken, mask = blemish.replay(images, params), blemish.mask(images, params)
        >>> bool((broken == images)[(mask == 0).expand_as(images)].all())  # nothing else is touched
        True
    """

    def __init__(
        self, low: float = 0.03, high: float = 0.4, *, seam: str = "hard", width: int = 3
    ) -> None:
        super().__init__()
        if not 0 < low <= high < 1:
            raise ConfigError(
                f"blemish was given low={low:g}, high={high:g}; "
                "expected shares of the image's sides with 0 < low <= high < 1"
            )
        self.low = low
        self.high = high
        self.cut = Cut("blemish", seam, width, seams=("hard", "feather"))

    def draw(self, x: Tensor, generator: torch.Generator | None = None) -> Params:
        self.check(x)
        uniform = draws_at_once(x, generator, *[1] * 7, *[_WAVES] * 2, 1, 1, _WAVES, *[1] * 4)

        def log_uniform(low: float, high: float) -> Tensor:
            return uniform(math.log(low), math.log(high)).exp()

        starts, lengths, shifts = [], [], []
        for size in x.shape[-2:]:
            length = (log_uniform(self.low, self.high) * size).round()
            length = length.clamp(min(_FEWEST, size), size)
            starts.append((uniform(0, 1) * (size + 1 - length)).floor())
            lengths.append(length)
            nearest = max(1, math.ceil(_NEAREST * size))
            shifts.append(nearest + (uniform(0, 1) * max(1, size - 2 * nearest + 1)).floor())
        speed = log_uniform(*_FREQUENCY)[:, None] * uniform(0, 1).sqrt()  # cycles (B, 12)
        way, stretch = uniform(0, 2 * math.pi), log_uniform(*_STRETCH)[:, None]
        down, across = speed * way.sin() * stretch, speed * way.cos() / stretch
        drawn = {
            "shift": torch.stack(shifts, dim=1).long(),
            "stain": uniform(0, 1) < 0.5,
            "box": torch.stack(starts + lengths, dim=1).long(),
            "waves": torch.stack([down, across, uniform(0, 2 * math.pi)], dim=-1),
            "area": uniform(*_AREA),
            "light": uniform(*_LIGHT),
            "cover": uniform(_FAINTEST, 1),
        }
        own = to_device_like(uniform(0, 1) < 0.5, x)
        itself = torch.arange(len(x), device=x.device)
        params = {name: to_device_like(value, x) for name, value in drawn.items()}
        return {"partner": torch.where(own, itself, draw_partners(x, generator)), **params}

    def null(self, x: Tensor, params: Params) -> Tensor:
        """The box or stain relit and faded as drawn, but the texture is the one that is there."""
        itself = torch.arange(x.shape[0], device=x.device)
        unmoved = torch.zeros_like(params["shift"])
        return self.replay(x, {**params, "partner": itself, "shift": unmoved})

    def replay(self, x: Tensor, params: Params) -> Tensor:
        self.check(x)
        if self.cut.seam == "hard":
            if may_look(x):
                return covered_pixels(x, self._pixels(x, params), params, ends(x))
            return covered(x, self._shape(x, params), params, ends(x))
        shape = self._shape(x, params)
        exact = covered(exactly(x), shape, params, ends(x))  # not rounded before it is blurred
        return like(feather(exact, near(*breaks(shape), self.cut.width), self.cut.width), x)

    def mask(self, x: Tensor, params: Params) -> Tensor:
        """1 inside the box or the stain, and where its outline is blurred."""
        shape = self._shape(x, params)
        mask = shape.float()[:, None]
        if self.cut.seam == "hard":
            return mask
        return torch.maximum(mask, near(*breaks(shape), self.cut.width))

    def _shape(self, x: Tensor, params: Params) -> Tensor:
        """Whether a pixel lies in the box or the stain, `(B, H, W)`."""
        H, W = x.shape[-2:]
        if may_look(x):
            return self._pixels(x, params).mask(len(x), H, W)
        stain = highest(waves(params["waves"], H, W), params["area"])
        return torch.where(params["stain"][:, None, None], stain, boxed(x, params["box"]))

    def _pixels(self, x: Tensor, params: Params) -> Pixels:
        """The pixels of `_shape`, for which half of the samples need no field and half no box."""
        stained, plain = params["stain"].nonzero()[:, 0], (~params["stain"]).nonzero()[:, 0]
        field = waves(params["waves"][stained], *x.shape[-2:])
        stain = Pixels.where(highest(field, params["area"][stained]), stained)
        return stain + Pixels.inside(params["box"][plain], plain)

    def check(self, x: Tensor) -> None:
        super().check(x)
        check_partners(x, "blemish")

    def extra_repr(self) -> str:
        return f"low={self.low:g}, high={self.high:g}{self.cut}"


def draws_at_once(
    x: Tensor, generator: torch.Generator | None, *counts: int
) -> Callable[[float, float], Tensor]:
    """`uniform(low, high)`, to be called once for each of `counts`: `(B,)`, or `(B, count)`.

    One draw serves them all, which on the CPU gives the numbers that one after the other would.
    """
    B, device = len(x), draw_device(x, generator)
    shares = iter(
        torch.rand(B * sum(counts), generator=generator, device=device).split(
            [B * n for n in counts]
        )
    )
    shapes = iter(counts)

    def uniform(low: float, high: float) -> Tensor:
        share, count = next(shares), next(shapes)
        share = share if count == 1 else share.view(B, count)
        return share if (low, high) == (0, 1) else low + (high - low) * share

    return uniform


def waves(drawn: Tensor, H: int, W: int) -> Tensor:
    """The field `(B, H, W)` that cosines `(B, K, 3)` (cycles down and across, phase) sum to."""
    y = (torch.arange(H, device=drawn.device) + 0.5) / H
    x = (torch.arange(W, device=drawn.device) + 0.5) / W
    turn = 2 * math.pi
    down = turn * drawn[..., 0, None] * y + drawn[..., 2, None]  # (B, K, H)
    across = turn * drawn[..., 1, None] * x  # (B, K, W)
    with torch.autocast(drawn.device.type, enabled=False):  # half precision would tie many pixels
        # cos(a + b), summed over the waves as two matrix products.
        both = torch.matmul(down.cos().mT, across.cos())
        return both - torch.matmul(down.sin().mT, across.sin())


def highest(field: Tensor, area: Tensor) -> Tensor:
    """Whether a pixel of `field` `(B, H, W)` is among the share `area` `(B,)` that is highest."""
    pixels = field.shape[-2] * field.shape[-1]
    count = (area * pixels).ceil().long().clamp(min(2 * _FEWEST, pixels), pixels)
    most = max(math.ceil(_AREA[1] * pixels), min(2 * _FEWEST, pixels))
    return field >= ranked(field.flatten(1), count, most)[..., None]


def covered(x: Tensor, shape: Tensor, params: Params, ends: tuple[float, float]) -> Tensor:
    """`x` with the texture drawn laid over it where `shape` `(B, H, W)` is true.

    `ends` are black and white.
    """
    image = exactly(x)
    texture = shifted(image, params["partner"], params["shift"])
    light = per_sample(params["light"], x).to(image.dtype)
    cover = per_sample(params["cover"], x) * over_planes(shape, x)
    return like(image.lerp(relit(texture, light, *ends), cover.to(image.dtype)), x)


def covered_pixels(x: Tensor, shape: Pixels, params: Params, ends: tuple[float, float]) -> Tensor:
    """The same, bit for bit, computing only the pixels of `shape`: a few in a hundred."""
    H, W = x.shape[-2:]
    partner = params["partner"].numpy()[shape.sample]
    down, across = (params["shift"] % torch.tensor([H, W])).numpy()[shape.sample].T
    there, here = shape.moved(partner, down, across, H, W).places(x), shape.places(x)
    texture, own = exactly(taken(x, there)), exactly(taken(x, here))
    sample = torch.from_numpy(shape.sample)
    light, cover = (params[name][sample].to(own.dtype) for name in ("light", "cover"))
    laid = own.lerp(relit(texture, light, *ends), cover.expand_as(own))
    return put(x, here, like(laid, x))


def relit(texture: Tensor, light: Tensor, black: float, white: float) -> Tensor:
    """`texture` moved by `light` towards black (below 0) or white."""
    return texture + light.abs() * (torch.where(light < 0, black, white) - texture)


def shifted(x: Tensor, image: Tensor, shift: Tensor) -> Tensor:
    """Sample `image[b]` of `x`, its pixels moved by `shift[b]` (down, right) and wrapped around."""
    H, W = x.shape[-2:]
    row = (torch.arange(H, device=x.device) - shift[:, :1]) % H  # (B, H)
    column = (torch.arange(W, device=x.device) - shift[:, 1:]) % W
    return pixels_at(samples(x, image), row[:, :, None] * W + column[:, None, :])
