"""A .zip of images of dots, sorted into one folder a count: a data set like any other."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from nda.data.dots import draw_dots
from nda.runtime.files import StrPath, atomic_file
from nda.runtime.progress import tracked

_TRIED = 16  # images drawn to see what they cost
_HEADERS = 120  # bytes of a member of a zip beside its content
_CHUNK = 1024  # images drawn at once


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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        drawn = _drawn(images, size, generator)
        for name, pixels in tracked(drawn, "drawing", sum(images.values())):
            png = io.BytesIO()
            Image.fromarray(pixels.numpy()).save(png, "PNG", compress_level=1)
            # A fixed date, so that equal images make an equal file.
            archive.writestr(zipfile.ZipInfo(name), png.getvalue())


def cost_of_dots(dots: int, size: int) -> tuple[float, float]:
    """Seconds and bytes that an image takes, of some that are drawn to see."""
    began, written = time.perf_counter(), io.BytesIO()
    draws = torch.Generator().manual_seed(0)
    for pixels in draw_dots(torch.full((_TRIED,), dots), size, generator=draws):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(written, "PNG", compress_level=1)
    seconds = (time.perf_counter() - began) / _TRIED
    return seconds, written.tell() / _TRIED + _HEADERS


def _drawn(
    images: Mapping[int, int], size: int, generator: torch.Generator
) -> Iterator[tuple[str, Tensor]]:
    """Name and pixels (size, size, 3) of each image, count by count."""
    for count, number in sorted(images.items()):
        for first in range(0, number, _CHUNK):
            counts = torch.full((min(_CHUNK, number - first),), count)
            drawn = draw_dots(counts, size, generator=generator).permute(0, 2, 3, 1)
            for index, pixels in enumerate(drawn, first):
                yield f"{count}/{index:05d}.png", pixels
