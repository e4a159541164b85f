"""A .zip of images of dots, sorted into one folder a count: a data set like any other."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image

from nda.data.dots import draw_dots
from nda.files import write_atomically


def write_dots_archive(
    path: Path, images: Mapping[int, int], size: int, *, generator: torch.Generator
) -> None:
    """Write `images[count]` PNG images of `count` dots each as `<count>/<number>.png`.

    `size` is the side in pixels; the content follows from the generator alone. The file is there
    as a whole or not at all.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for count, number in sorted(images.items()):
            drawn = draw_dots(torch.full((number,), count), size, generator=generator)
            for index, pixels in enumerate(drawn.permute(0, 2, 3, 1).numpy()):
                png = io.BytesIO()
                Image.fromarray(pixels).save(png, "PNG", compress_level=1)
                # A fixed date, so that equal images make an equal file.
                name = zipfile.ZipInfo(f"{count}/{index:05d}.png")
                archive.writestr(name, png.getvalue())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(content.getvalue()))
