"""Images of coloured dots, whose number is known (paper, Appendix A; after Zhao et al. 2018).

A disc of radius r covers pixel p by clamp(r + 1/2 - |p - centre|, 0, 1), so its edge is one pixel
wide and its half-covered pixels lie on the circle.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator, Mapping

import torch
from PIL import Image
from torch import Tensor

from nda.data.archive import write_png_archive
from nda.errors import DataError
from nda.runtime.files import StrPath

RADIUS = (0.06, 0.09)  # of the image's side: 3.8 to 5.8 pixels at 64, 1.4 to 2.2 at 24

GAP = 2.0  # pixels between the edges of two dots: no pixel more than half covered touches another's

_CHUNK = 1024  # images drawn at once: 50 MB of work space at 64 pixels

_CANDIDATES = 8  # places proposed at once for a dot

_ROUNDS = 32  # proposals before a layout is given up as a dead end

_RESTARTS = 32  # layouts tried before a count is called impossible


def draw_dots(
    counts: Tensor,
    size: int = 64,
    *,
    generator: torch.Generator,
    radius: tuple[float, float] = RADIUS,
) -> Tensor:
    """Images with exactly `counts[i]` separate dots on black: uint8 `(N, 3, size, size)`.

    `counts` is int64 `(N,)`; `radius` the lowest and highest radius as fractions of `size`, drawn
    uniformly. Each dot lies wholly inside the image, at least two pixels from every other, placed
    one after another uniformly over what is free; its colour has a uniform hue, a saturation
    between 1/2 and 1 and value 1, so its brightest channel is 255.

    Raises `DataError` where so many dots cannot be placed.
    """
    pixels = _radius_in_pixels(radius, size)
    counts = counts.to(generator.device, torch.int64)
    if len(counts) and int(counts.min()) < 0:
        raise DataError(f"A count of dots must be 0 or more; got {int(counts.min())}.")
    images = [
        _render(*_place(chunk, size, pixels, generator), size, generator)
        for chunk in torch.split(counts, _CHUNK)
    ]
    return torch.cat(images)


def _radius_in_pixels(radius: tuple[float, float], size: int) -> tuple[float, float]:
    low, high = radius[0] * size, radius[1] * size
    if not 1.0 <= low <= high < size / 2 - 0.5:
        raise DataError(
            f"The radius of dots must grow from at least 1 pixel to less than half the image; "
            f"got {low:g} to {high:g} pixels at size {size}. Give a larger size or another radius."
        )
    return low, high


def _place(
    counts: Tensor, size: int, radius: tuple[float, float], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Centres `(N, K, 2)` and radii `(N, K)` in pixels; the radius is 0 past a sample's count."""
    most = int(counts.max()) if len(counts) else 0
    if most * math.pi * (radius[0] + GAP / 2) ** 2 > (size + GAP) ** 2:
        raise _crowded(most, size, radius)  # not even by the area: spare the trying
    device = counts.device
    centres = torch.zeros(len(counts), most, 2, device=device)
    radii = torch.zeros(len(counts), most, device=device)
    todo = torch.arange(len(counts), device=device)
    for _ in range(_RESTARTS):
        placed, drawn, complete = _try_layout(counts[todo], most, size, radius, rng)
        centres[todo[complete]], radii[todo[complete]] = placed[complete], drawn[complete]
        todo = todo[~complete]
        if not len(todo):
            return centres, radii
    raise _crowded(int(counts[todo].max()), size, radius)


def _crowded(count: int, size: int, radius: tuple[float, float]) -> DataError:
    # Discs placed at random stop fitting when they cover about half of the ground.
    low, high = radius
    footprint = math.pi * ((low + high + GAP) / 2) ** 2
    fits = max(1, int(0.45 * (size + GAP) ** 2 / footprint))
    return DataError(
        f"{count} dots of radius {low:g} to {high:g} pixels do not fit into {size} x {size} "
        f"pixels without touching; about {fits} do. "
        "Give fewer dots, a larger size or a smaller radius."
    )


def _try_layout(
    counts: Tensor, most: int, size: int, radius: tuple[float, float], rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Place the dots of every sample in turn; the last value says which samples were completed."""
    n, device = len(counts), counts.device
    centres = torch.zeros(n, most, 2, device=device)
    wanted = torch.arange(most, device=device) < counts[:, None]  # (N, K)
    low, high = radius
    drawn = low + (high - low) * torch.rand(n, most, generator=rng, device=device)
    radii = drawn * wanted
    complete = torch.ones(n, dtype=torch.bool, device=device)
    for k in range(most):
        todo = (wanted[:, k] & complete).nonzero()[:, 0]
        for _ in range(_ROUNDS):
            if not len(todo):
                break
            place, free = _propose(centres[todo, :k], radii[todo, :k], radii[todo, k], size, rng)
            centres[todo[free], k] = place[free]
            todo = todo[~free]
        complete[todo] = False
    return centres, radii, complete


def _propose(
    centres: Tensor, radii: Tensor, radius: Tensor, size: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The first free one of some uniform places `(n, 2)` for a dot, and whether there was one."""
    n, margin = len(radius), (radius + 0.5)[:, None, None]
    uniform = torch.rand(n, _CANDIDATES, 2, generator=rng, device=radius.device)
    places = margin + uniform * (size - 2 * margin)  # (n, candidates, 2)
    distance = (places[:, :, None] - centres[:, None]).norm(dim=-1)  # (n, candidates, k)
    free = (distance >= (radii + radius[:, None] + GAP)[:, None]).all(dim=-1)
    first = free.to(torch.uint8).argmax(dim=1)
    return places[torch.arange(n, device=radius.device), first], free.any(dim=1)


def _render(centres: Tensor, radii: Tensor, size: int, rng: torch.Generator) -> Tensor:
    """Draw the dots as uint8 `(N, 3, size, size)`, each into a window just larger than itself."""
    n, most = radii.shape
    device = radii.device
    canvas = torch.zeros(n, 3, size * size, device=device)
    colours = _colours(n, most, rng)
    reach = math.ceil(float(radii.max()) + 0.5) if radii.numel() else 0
    offsets = torch.arange(-reach, reach + 1, device=device)
    for k in range(most):
        pixels = centres[:, k].floor().long()[:, :, None] + offsets  # (N, 2, W)
        gaps = (pixels + 0.5 - centres[:, k, :, None]).square()
        distance = (gaps[:, 1, :, None] + gaps[:, 0, None, :]).sqrt().flatten(1)  # (N, W * W)
        coverage = (radii[:, k, None] + 0.5 - distance).clamp(0, 1) * (radii[:, k, None] > 0)
        # Beyond the border the coverage is 0: clamping adds nothing to the border's own pixels.
        x, y = pixels.clamp(0, size - 1).unbind(1)
        index = (y[:, :, None] * size + x[:, None, :]).flatten(1)
        paint = coverage[:, None] * colours[:, k, :, None]  # (N, 3, W * W)
        canvas.scatter_add_(2, index[:, None].expand_as(paint), paint)
    return canvas.mul_(255).round_().clamp_(0, 255).to(torch.uint8).view(n, 3, size, size)


def _colours(n: int, most: int, rng: torch.Generator) -> Tensor:
    """RGB `(n, most, 3)` in [0, 1] of HSV colours with value 1 and saturation in [1/2, 1]."""
    device = rng.device
    hue = torch.rand(n, most, 1, generator=rng, device=device)
    saturation = 0.5 + 0.5 * torch.rand(n, most, 1, generator=rng, device=device)
    # The usual HSV ramp: each channel is full within a third of the circle around its own hue.
    phase = (hue * 6 + torch.tensor([0.0, 4.0, 2.0], device=device)) % 6
    return 1 - saturation * (1 - ((phase - 3).abs() - 1).clamp(0, 1))


_TRIED = 16  # images drawn to see what they cost

_HEADERS = 120  # bytes of a member of a zip beside its content


def write_dots_archive(
    path: StrPath, images: Mapping[int, int], size: int, *, generator: torch.Generator
) -> None:
    """Write `images[count]` PNG images of `count` dots each as `<count>/<number>.png`.

    `size` is the side in pixels; the content follows from the generator alone. The file is there
    as a whole or not at all. Raises `DataError` where so many dots cannot be placed, before
    anything is drawn.
    """
    trial = torch.tensor([max(images, default=0)])
    draw_dots(trial, size, generator=torch.Generator(generator.device).manual_seed(0))
    write_png_archive(path, _drawn(images, size, generator), sum(images.values()))


def cost_of_dots(dots: int, size: int) -> tuple[float, float]:
    """Seconds and bytes that an image takes, of some that are drawn to see."""
    began, written = time.perf_counter(), io.BytesIO()
    rng = torch.Generator().manual_seed(0)
    for pixels in draw_dots(torch.full((_TRIED,), dots), size, generator=rng):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(written, "PNG", compress_level=1)
    seconds = (time.perf_counter() - began) / _TRIED
    return seconds, written.tell() / _TRIED + _HEADERS


def _drawn(
    images: Mapping[int, int], size: int, rng: torch.Generator
) -> Iterator[tuple[str, Tensor]]:
    """Name and pixels (size, size, 3) of each image, count by count."""
    for count, number in sorted(images.items()):
        for first in range(0, number, _CHUNK):
            counts = torch.full((min(_CHUNK, number - first),), count)
            drawn = draw_dots(counts, size, generator=rng).permute(0, 2, 3, 1)
            for index, pixels in enumerate(drawn, first):
                yield f"{count}/{index:05d}.png", pixels
