"""Which of some templates an image shows, how far it is moved, and that template laid onto it.

Everything is plain arithmetic on fixed shapes, so that it goes into an export: the search is a
convolution, the sub-pixel shift a product with a matrix on either side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEARCHED = 32  # pixels a side at most, down to which images are searched in
REACH = 8  # templates are moved by at most this part of the side
_STEPS = 3  # of Gauss-Newton, at each size
_LOCAL = 4  # pixels: light that changes over more than these, either way, is taken away
_FAINT = 1 / 127.5  # one grey level: contrast below it is none
_TIE = 1e-4  # of correlation, that the furthest shift and the last template cost


class Registration(nn.Module):
    """Images `(B, 3, S, S)` in [-1, 1] to the templates that fit best, moved and lit as they are.

    Templates uint8 `(T, 3, S, S)` are part of the state. The choice is by the correlation of what
    of both overlaps, without slow changes of light, over all shifts of up to an eighth of the side
    (`furthest`); at more and more pixels the shift is then refined (Lucas and Kanade, 1981), so
    that places where both differ much count little.
    """

    templates: Tensor

    def __init__(self, side: int, count: int) -> None:
        super().__init__()
        self.side = side
        factor = 1
        while side // (2 * factor) >= SEARCHED and side % (2 * factor) == 0:
            factor *= 2
        self.factor = factor  # of the side that is searched at
        self.reach = -(-side // (factor * REACH))  # pixels of that side
        self.register_buffer("templates", torch.zeros(count, 3, side, side, dtype=torch.uint8))
        self.requires_grad_(False)

    @property
    def furthest(self) -> int:
        """The largest shift either way, in pixels: an eighth of the side or a little more."""
        return self.reach * self.factor

    def forward(self, images: Tensor) -> Tensor:
        number, shift, _ = self.find(images)
        return self.place(images, number, shift)

    def find(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Template `(B,)`, its shift down and right `(B, 2)` in pixels, correlation `(B,)`."""
        factor = self.factor
        known = F.avg_pool2d(self.templates.float() / 127.5 - 1, factor)
        fits = correlations(flat(F.avg_pool2d(images, factor)), flat(known), self.reach)
        away = torch.linspace(-1, 1, 2 * self.reach + 1, device=images.device).square()
        order = torch.linspace(0, 1, len(known), device=images.device)[:, None, None]
        fits = fits - _TIE * (away[:, None] + away + order)
        best = fits.flatten(1).max(dim=1)
        width = 2 * self.reach + 1
        number = torch.div(best.indices, width**2, rounding_mode="floor")
        spot = best.indices - number * width**2
        down = torch.div(spot, width, rounding_mode="floor")
        coarse = torch.stack([down, spot - down * width], dim=1) - self.reach
        return number, self.refine(images, number, coarse.to(images.dtype) * factor), best.values

    def refine(self, images: Tensor, number: Tensor, shift: Tensor) -> Tensor:
        """The shift `(B, 2)` to fractions of a pixel, from one that is right to some."""
        chosen = self.templates[number].float() / 127.5 - 1
        factor = self.factor
        while True:
            small, template = F.avg_pool2d(images, factor), F.avg_pool2d(chosen, factor)
            for _ in range(_STEPS):
                shift = shift + factor * step_towards(small, template, shift / factor)
            shift = shift.clamp(-float(self.furthest), float(self.furthest))
            if factor == 1:
                return shift
            factor //= 2

    def place(self, images: Tensor, number: Tensor, shift: Tensor) -> Tensor:
        """The templates moved and lit as the images `(B, 3, S, S)`, which go on beyond them."""
        chosen = self.templates[number].float() / 127.5 - 1
        moved = shifted(chosen, shift)
        inside = within(shift, self.side)
        lit = relit(moved, images, inside).clamp(-1.0, 1.0)
        return inside * lit + (1 - inside) * images


def flat(images: Tensor) -> Tensor:
    """The same without changes of light from one end to the other: less the mean around."""
    side = 2 * _LOCAL + 1
    around = F.avg_pool2d(images, side, stride=1, padding=_LOCAL, count_include_pad=False)
    return images - around


def correlations(images: Tensor, templates: Tensor, reach: int) -> Tensor:
    """Of images `(B, 3, s, s)` and templates `(T, 3, s, s)`: `(B, T, 2 reach + 1, 2 reach + 1)`.

    Of every shift down and right, from `-reach` on: over the pixels that overlap, each channel less
    its mean there. The cosine of both, 0 where either has no contrast.
    """
    side, edges = images.shape[-1], [reach] * 4
    large, known = F.pad(images, edges), F.pad(templates, edges)

    def summed(values: Tensor) -> Tensor:  # over each window
        return F.avg_pool2d(values, side, stride=1) * side**2

    count = summed(F.pad(torch.ones_like(images[:1, :1]), edges))
    of_image, of_template = summed(large), summed(known)
    image, template = (
        (summed(values.square()) - sums.square() / count).sum(dim=1).clamp(min=0.0)
        for values, sums in ((large, of_image), (known, of_template))
    )
    # What of a template overlaps is at the other end of its windows.
    of_template, template = of_template.flip(2, 3), template.flip(1, 2)
    apart = torch.einsum("bcij,tcij->btij", of_image / count, of_template)
    faint = 3 * side**2 * _FAINT**2
    sizes = (image[:, None] + faint) * (template + faint)
    return (F.conv2d(large, templates) - apart) / sizes.sqrt()


def step_towards(images: Tensor, templates: Tensor, shift: Tensor) -> Tensor:
    """By how much to move the shift `(B, 2)` in pixels, at most one, so that templates fit better.

    One step of Gauss-Newton for the sum of squares, in which places where image and template differ
    more than elsewhere count less (Cauchy's weights).
    """
    moved = shifted(templates, shift)
    inside = within(shift, images.shape[-1])
    rest = images - relit(moved, images, inside)
    usual = (rest.abs() * inside).mean(dim=(1, 2, 3), keepdim=True) + _FAINT
    weight = inside / (1 + (rest / (2 * usual)).square().mean(dim=1, keepdim=True))
    lit = relit(moved, images, weight)
    rest = (images - lit) * weight
    down, right = slopes(lit)
    a = (weight * down.square()).sum(dim=(1, 2, 3))
    b = (weight * down * right).sum(dim=(1, 2, 3))
    c = (weight * right.square()).sum(dim=(1, 2, 3))
    p, q = ((rest * each).sum(dim=(1, 2, 3)) for each in (down, right))
    # Where nothing slopes nothing can be told.
    floor = 3 * images.shape[-1] ** 2 * _FAINT**2 / 100
    a, c = a + floor, c + floor
    determinant = a * c - b * b
    found = torch.stack([b * q - c * p, b * p - a * q], dim=1) / determinant[:, None]
    return found.clamp(-1.0, 1.0)


def slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    """How much values grow from pixel to pixel, down and right."""
    padded = F.pad(images, [1] * 4, mode="replicate")
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    right = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    return down / 2, right / 2


def shifted(images: Tensor, shift: Tensor) -> Tensor:
    """Images `(B, 3, S, S)` moved down and right by `(B, 2)` pixels, their edges drawn on."""
    side = images.shape[-1]
    room = side // REACH + side // SEARCHED + _STEPS + 3  # further than any shift reaches
    padded = F.pad(images, [room] * 4, mode="replicate")
    down, right = (taps(shift[:, axis], side, room)[:, None] for axis in (0, 1))
    return down @ padded @ right.transpose(2, 3)


def taps(shift: Tensor, side: int, room: int) -> Tensor:
    """What of each pixel of a line goes into each of the moved line: `(B, side, side + 2 room)`.

    Cubic interpolation (Keys, 1981).
    """
    to = torch.arange(side, device=shift.device, dtype=shift.dtype)
    of = torch.arange(-room, side + room, device=shift.device, dtype=shift.dtype)
    x = ((to[:, None] - of) - shift[:, None, None]).abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def within(shift: Tensor, side: int) -> Tensor:
    """How far each pixel lies within the moved template: `(B, 1, side, side)`, 0 to 1."""
    place = torch.arange(side, device=shift.device, dtype=shift.dtype)
    of = place[:, None] - shift[:, None]  # (B, side, 2)
    inside = (torch.minimum(of, side - 1 - of) + 1).clamp(0.0, 1.0)
    return inside[:, None, :, None, 0] * inside[:, None, None, :, 1]


def relit(templates: Tensor, images: Tensor, weight: Tensor) -> Tensor:
    """The templates with the contrast and the brightness of the images, by least squares.

    One contrast and one brightness an image: light may change, colours may not. Without contrast
    of its own a template keeps what it has. `weight` is `(B, 1, S, S)`.
    """
    total = 3 * weight.sum(dim=(1, 2, 3), keepdim=True) + 1e-6

    def mean(values: Tensor) -> Tensor:
        return (values * weight).sum(dim=(1, 2, 3), keepdim=True) / total

    of_template, of_image = mean(templates), mean(images)
    centred = templates - of_template
    contrast = mean(centred * (images - of_image)) + _FAINT**2
    contrast = contrast / (mean(centred.square()) + _FAINT**2)
    return contrast.clamp(0.25, 4.0) * centred + of_image
